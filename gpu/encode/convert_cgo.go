//go:build cgo

package encode

/*
#cgo CFLAGS: -O3
#include "convert.h"
*/
import "C"

import "unsafe"

// convert runs the C conversion, which picks AVX2 where the processor has it.
func convert(p *Picture, f Frame) {
	C.fm_rgba_to_i420((*C.uint8_t)(unsafe.Pointer(&f.Pix[0])), C.int(f.Stride), C.int(f.Width), C.int(f.Height),
		(*C.uint8_t)(unsafe.Pointer(&p.Y[0])), (*C.uint8_t)(unsafe.Pointer(&p.Cb[0])), (*C.uint8_t)(unsafe.Pointer(&p.Cr[0])))
}

// convertPlainC runs the C conversion without AVX2, for tests and benchmarks.
func convertPlainC(p *Picture, f Frame) {
	C.fm_rgba_to_i420_plain((*C.uint8_t)(unsafe.Pointer(&f.Pix[0])), C.int(f.Stride), C.int(f.Width), C.int(f.Height),
		(*C.uint8_t)(unsafe.Pointer(&p.Y[0])), (*C.uint8_t)(unsafe.Pointer(&p.Cb[0])), (*C.uint8_t)(unsafe.Pointer(&p.Cr[0])))
}
