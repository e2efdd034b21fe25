//go:build !linux

package job

// fionread asks how many bytes a pipe holds: FIONREAD of the BSDs' sys/filio.h.
const fionread = 0x4004667f
