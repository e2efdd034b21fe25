//go:build !linux

package execution

// fionread asks how many bytes a pipe holds; sys/filio.h of Darwin and the BSDs.
const fionread = 0x4004667f

// growPipe does nothing: the size of a pipe cannot be set here.
func growPipe(uintptr) {}
