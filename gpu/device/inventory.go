package device

import (
	"bufio"
	"bytes"
	"io"
	"io/fs"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// Kind is a sort of device.
type Kind string

// The sorts there are.
const (
	CPU Kind = "cpu"
	GPU Kind = "gpu"
)

// Device is one thing that computes.
type Device struct {
	ID     string `json:"id"` // "cpu0", "gpu0", …: stable while the hardware stays
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"`             // as the system calls it
	Vendor string `json:"vendor,omitempty"` // of a GPU: nvidia, amd, intel or the PCI id
	Driver string `json:"driver,omitempty"` // of a GPU, with its version where that is told
	Cores  int    `json:"cores,omitempty"`  // logical, that this process may use
	Memory uint64 `json:"memory"`           // bytes; of a GPU 0 where it is not told
}

// maxFile bounds what is read of any file of the system.
const maxFile = 1 << 20

// Inventory lists the devices of a machine whose file system is root: the processor
// first, as device 0, then graphics cards. cores is the number of logical
// processors that this process may use.
func Inventory(root fs.FS, cores int) []Device {
	devices := []Device{{ID: "cpu0", Kind: CPU, Name: cpuName(root), Cores: cores, Memory: memTotal(root)}}
	return append(devices, cards(root)...)
}

// read returns a file's text without the space around it, or nothing.
func read(root fs.FS, name string) string {
	f, err := root.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, maxFile))
	return string(bytes.TrimSpace(b))
}

// field finds the value of "key : value" in a text of such lines.
func field(text, key string) string {
	s := bufio.NewScanner(strings.NewReader(text))
	s.Buffer(nil, maxFile)
	for s.Scan() {
		if k, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func cpuName(root fs.FS) string {
	info := read(root, "proc/cpuinfo")
	for _, key := range []string{"model name", "Model", "Hardware", "CPU part"} {
		if name := field(info, key); name != "" {
			return name
		}
	}
	return runtime.GOARCH
}

func memTotal(root fs.FS) uint64 { return meminfo(root, "MemTotal") }

// meminfo is a figure of /proc/meminfo in bytes, 0 where there is none.
func meminfo(root fs.FS, key string) uint64 {
	kib, _, _ := strings.Cut(field(read(root, "proc/meminfo"), key), " ")
	n, err := strconv.ParseUint(kib, 10, 44)
	if err != nil {
		return 0
	}
	return n << 10
}

// vendors are the PCI ids of who makes graphics cards.
var vendors = map[string]string{"0x10de": "nvidia", "0x1002": "amd", "0x8086": "intel", "0x1af4": "virtio", "0x15ad": "vmware"}

// cards lists graphics cards from the kernel's display devices, and from NVIDIA's
// own list those that have no display device.
func cards(root fs.FS) []Device {
	var found []Device
	add := func(d Device) {
		d.ID, d.Kind = "gpu"+strconv.Itoa(len(found)), GPU
		found = append(found, d)
	}
	seen := map[string]bool{} // PCI addresses
	entries, _ := fs.Glob(root, "sys/class/drm/card[0-9]*")
	for _, e := range entries {
		if strings.Contains(path.Base(e), "-") {
			continue // a connector of a card
		}
		vendor := read(root, e+"/device/vendor")
		if vendor == "" {
			continue
		}
		uevent := strings.ReplaceAll(read(root, e+"/device/uevent"), "=", ":")
		slot := strings.ToLower(field(uevent, "PCI_SLOT_NAME"))
		slotName := nvidiaName(root, slot)
		d := Device{Vendor: vendor, Driver: field(uevent, "DRIVER"), Name: slotName}
		if v := vendors[vendor]; v != "" {
			d.Vendor = v
		}
		if d.Name == "" {
			d.Name = d.Vendor + " " + read(root, e+"/device/device")
		}
		d.Memory, _ = strconv.ParseUint(read(root, e+"/device/mem_info_vram_total"), 10, 64)
		seen[slot] = slot != ""
		add(d)
	}
	entries, _ = fs.Glob(root, "proc/driver/nvidia/gpus/*")
	for _, e := range entries {
		if slot := strings.ToLower(path.Base(e)); !seen[slot] {
			add(Device{Vendor: "nvidia", Driver: nvidiaDriver(root), Name: nvidiaName(root, slot)})
		}
	}
	return found
}

func nvidiaName(root fs.FS, slot string) string {
	if slot == "" {
		return ""
	}
	return field(read(root, "proc/driver/nvidia/gpus/"+slot+"/information"), "Model")
}

// nvidiaDriver is "nvidia" with the version of the loaded module.
func nvidiaDriver(root fs.FS) string {
	if v := read(root, "sys/module/nvidia/version"); v != "" {
		return "nvidia " + v
	}
	return "nvidia"
}
