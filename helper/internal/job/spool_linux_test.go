package job

import (
	"os"
	"strings"
	"testing"
)

func TestFullDiskIsNamedAndCountsNothing(t *testing.T) {
	file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	quota := &Quota{limit: 1000}
	s := &spool{file: file, limit: 1000, quota: quota}
	defer s.close()
	if why := s.write(make([]byte, 100)); !strings.Contains(why, "no space is left") {
		t.Fatalf("%q", why)
	}
	if s.bytes() != 0 || quota.usedBytes() != 0 {
		t.Fatalf("%d bytes, %d of the quota", s.bytes(), quota.usedBytes())
	}
	if why := s.write(make([]byte, 100)); why != "" {
		t.Fatalf("it is said twice: %q", why)
	}
}
