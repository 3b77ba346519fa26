//go:build !cgo

package encode

func convert(p *Picture, f Frame) { convertGo(p, f) }

func convertPlainC(p *Picture, f Frame) { convertGo(p, f) }
