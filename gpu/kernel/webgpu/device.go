//go:build (linux || darwin || windows) && (amd64 || arm64)

package webgpu

import (
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gogpu/gputypes"
	"github.com/gogpu/wgpu"

	"github.com/framemesh/framemesh/gpu/kernel"
)

//go:embed rp1.wgsl
var shader string

const (
	uniformWords = 12 + 8*kernel.Spheres
	// a submission takes between these, so that a desktop on the same card goes on
	// drawing between two of them
	shortest, longest = 4 * time.Millisecond, 12 * time.Millisecond
	firstSamples      = 1 << 18 // of the first submission, before anything was measured
	maxTiles          = 1 << 13 // of one submission: four workgroups each, 65,535 allowed
	answerLimit       = 60 * time.Second
)

// device is a backend on one card. Its methods are for one goroutine at a time.
type device struct {
	name     string
	software bool
	instance *wgpu.Instance
	adapter  *wgpu.Adapter
	device   *wgpu.Device
	layout   *wgpu.BindGroupLayout
	pipeline *wgpu.ComputePipeline
	uniform  *wgpu.Buffer
	frame    *buffers
	step     uint64 // samples of one submission
}

// buffers hold a frame's words on the card and on their way back.
type buffers struct {
	bytes        uint64
	words, back  *wgpu.Buffer
	bind         *wgpu.BindGroup
	uniformBytes [4 * uniformWords]byte
}

var _ kernel.Backend = (*device)(nil)

// Open takes the machine's fastest card and runs kernel.Check on it. It returns
// ErrNoDevice where there is none, kernel.ErrEmpty or kernel.ErrWrong for one that
// does not compute the kernel's bits, and ErrDriver for one that fails. log gets one
// line about the device; it may be nil.
func Open(log *slog.Logger) (kernel.Backend, error) {
	d, err := open(shader)
	if err != nil {
		return nil, err
	}
	if err := kernel.Check(d); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if log != nil {
		log.Info("graphics device proves", "device", d.name, "kernel", kernel.Name)
	}
	return d, nil
}

// Software reports whether b, opened by this package, is a graphics device made of
// software: good for tests, and slower than the processor's own backend.
func Software(b kernel.Backend) bool {
	d, ok := b.(*device)
	return ok && d.software
}

// caught turns a panic of the driver's library into an error.
func caught(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", ErrDriver, r)
	}
}

func open(source string) (d *device, err error) {
	d = &device{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
			d = nil
		}
	}()
	defer caught(&err)
	if d.instance, err = wgpu.CreateInstance(&wgpu.InstanceDescriptor{Backends: apis}); err != nil {
		return d, fmt.Errorf("%w (%w)", ErrNoDevice, err)
	}
	if d.adapter, err = d.instance.RequestAdapter(&wgpu.RequestAdapterOptions{PowerPreference: wgpu.PowerPreferenceHighPerformance}); err != nil {
		return d, fmt.Errorf("%w (%w)", ErrNoDevice, err)
	}
	info := d.adapter.Info()
	if info.Backend == gputypes.BackendEmpty {
		return d, fmt.Errorf("%w (found only %q)", ErrNoDevice, info.Name)
	}
	d.software = info.DeviceType == gputypes.DeviceTypeCPU
	d.name = fmt.Sprintf("%s (%s, %s)", info.Name, info.Backend, info.DeviceType)
	if d.device, err = d.adapter.RequestDevice(nil); err != nil {
		return d, fmt.Errorf("%w: open %s: %w", ErrDriver, d.name, err)
	}
	if err = d.compile(source); err != nil {
		return d, fmt.Errorf("%w: prepare %s: %w", ErrDriver, d.name, err)
	}
	return d, nil
}

func (d *device) compile(source string) error {
	module, err := d.device.CreateShaderModule(&wgpu.ShaderModuleDescriptor{Label: kernel.Name, WGSL: source})
	if err != nil {
		return err
	}
	defer module.Release()
	entry := func(binding uint32, t gputypes.BufferBindingType) wgpu.BindGroupLayoutEntry {
		return wgpu.BindGroupLayoutEntry{Binding: binding, Visibility: wgpu.ShaderStageCompute, Buffer: &gputypes.BufferBindingLayout{Type: t}}
	}
	if d.layout, err = d.device.CreateBindGroupLayout(&wgpu.BindGroupLayoutDescriptor{Entries: []wgpu.BindGroupLayoutEntry{
		entry(0, gputypes.BufferBindingTypeUniform), entry(1, gputypes.BufferBindingTypeStorage),
	}}); err != nil {
		return err
	}
	layout, err := d.device.CreatePipelineLayout(&wgpu.PipelineLayoutDescriptor{BindGroupLayouts: []*wgpu.BindGroupLayout{d.layout}})
	if err != nil {
		return err
	}
	defer layout.Release()
	if d.pipeline, err = d.device.CreateComputePipeline(&wgpu.ComputePipelineDescriptor{Layout: layout, Module: module, EntryPoint: "main"}); err != nil {
		return err
	}
	d.uniform, err = d.device.CreateBuffer(&wgpu.BufferDescriptor{Size: 4 * uniformWords, Usage: wgpu.BufferUsageUniform | wgpu.BufferUsageCopyDst})
	return err
}

// Name returns "webgpu".
func (d *device) Name() string { return "webgpu" }

// Device returns the card's name, the interface it is driven through, and its kind.
func (d *device) Device() string { return d.name }

// Close gives the card back.
func (d *device) Close() (err error) {
	defer caught(&err)
	d.frame.release()
	d.frame = nil
	if d.uniform != nil {
		d.uniform.Release()
	}
	if d.pipeline != nil {
		d.pipeline.Release()
	}
	if d.layout != nil {
		d.layout.Release()
	}
	if d.device != nil {
		d.device.Release()
	}
	if d.adapter != nil {
		d.adapter.Release()
	}
	if d.instance != nil {
		d.instance.Release()
	}
	*d = device{name: d.name}
	return nil
}

func (b *buffers) release() {
	if b == nil {
		return
	}
	if b.bind != nil {
		b.bind.Release()
	}
	if b.words != nil {
		b.words.Release()
	}
	if b.back != nil {
		b.back.Release()
	}
}

// reserve makes the buffers for frames of this many bytes, or keeps those there are.
func (d *device) reserve(bytes uint64) (err error) {
	if d.frame != nil && d.frame.bytes == bytes {
		return nil
	}
	d.frame.release()
	d.frame = nil
	b := &buffers{bytes: bytes}
	defer func() {
		if err != nil {
			b.release()
		}
	}()
	if b.words, err = d.device.CreateBuffer(&wgpu.BufferDescriptor{Size: bytes, Usage: wgpu.BufferUsageStorage | wgpu.BufferUsageCopySrc}); err != nil {
		return err
	}
	if b.back, err = d.device.CreateBuffer(&wgpu.BufferDescriptor{Size: bytes, Usage: wgpu.BufferUsageMapRead | wgpu.BufferUsageCopyDst}); err != nil {
		return err
	}
	if b.bind, err = d.device.CreateBindGroup(&wgpu.BindGroupDescriptor{Layout: d.layout, Entries: []wgpu.BindGroupEntry{
		{Binding: 0, Buffer: d.uniform, Size: 4 * uniformWords}, {Binding: 1, Buffer: b.words, Size: bytes},
	}}); err != nil {
		return err
	}
	d.frame = b
	return nil
}

// Render renders the frame in submissions of a few milliseconds each and waits for
// every one of them; ctx is looked at in between.
func (d *device) Render(ctx context.Context, size kernel.Size, seed kernel.Seed, out []uint32) (err error) {
	if err := size.Validate(); err != nil {
		return err
	}
	if len(out) != size.Words() {
		return fmt.Errorf("%w: %d words for %s", kernel.ErrBuffer, len(out), size)
	}
	if d.device == nil {
		return fmt.Errorf("%w: %s is closed", ErrDriver, d.name)
	}
	defer caught(&err)
	if err := d.render(ctx, size, seed, out); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.frame.release() // whatever state they are in
		d.frame = nil
		return fmt.Errorf("%w: %s: %w", ErrDriver, d.name, err)
	}
	return nil
}

func (d *device) render(ctx context.Context, size kernel.Size, seed kernel.Seed, out []uint32) error {
	if err := d.reserve(4 * uint64(size.Words())); err != nil {
		return err
	}
	u := &d.frame.uniformBytes
	for i, w := range seed.Words() {
		binary.LittleEndian.PutUint32(u[4*i:], w)
	}
	for i, w := range kernel.Scene(seed) {
		binary.LittleEndian.PutUint32(u[48+4*i:], uint32(w))
	}
	if d.step == 0 {
		d.step = firstSamples
	}
	perTile := uint64(size.SPP) * kernel.Tile * kernel.Tile
	for at := uint32(0); at < size.Tiles(); {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n := uint32(min(max(d.step/perTile, 1), uint64(size.Tiles()-at), maxTiles))
		for i, w := range [4]uint32{size.Width, size.Height, size.SPP, at} {
			binary.LittleEndian.PutUint32(u[32+4*i:], w)
		}
		began := time.Now()
		if err := d.submit(u[:], n, at+n == size.Tiles()); err != nil {
			return err
		}
		at += n
		switch took := time.Since(began); {
		case took > longest:
			d.step = max(d.step/2, kernel.Tile*kernel.Tile)
		case took < shortest && uint64(n)*perTile >= d.step/2:
			d.step = min(d.step*2, 1<<40)
		}
	}
	return d.read(out)
}

// submit renders n tiles and waits for them; last copies the frame on its way back.
func (d *device) submit(uniform []byte, n uint32, last bool) error {
	if err := d.device.Queue().WriteBuffer(d.uniform, 0, uniform); err != nil {
		return err
	}
	e, err := d.device.CreateCommandEncoder(nil)
	if err != nil {
		return err
	}
	p, err := e.BeginComputePass(nil)
	if err != nil {
		return err
	}
	p.SetPipeline(d.pipeline)
	p.SetBindGroup(0, d.frame.bind, nil)
	p.Dispatch(4*n, 1, 1)
	if err := p.End(); err != nil {
		return err
	}
	if last {
		e.CopyBufferToBuffer(d.frame.words, 0, d.frame.back, 0, d.frame.bytes)
	}
	commands, err := e.Finish()
	if err != nil {
		return err
	}
	if _, err := d.device.Queue().Submit(commands); err != nil {
		return err
	}
	return d.device.WaitIdle()
}

func (d *device) read(out []uint32) error {
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	b := d.frame
	if err := b.back.Map(ctx, wgpu.MapModeRead, 0, b.bytes); err != nil {
		return err
	}
	r, err := b.back.MappedRange(0, b.bytes)
	if err != nil {
		return errors.Join(err, b.back.Unmap())
	}
	bytes := r.Bytes()
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(bytes[4*i:])
	}
	return b.back.Unmap()
}
