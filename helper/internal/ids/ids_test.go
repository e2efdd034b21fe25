package ids

import (
	"strings"
	"testing"
)

func TestOnlyLettersDigitsDashAndUnderscoreMakeAnID(t *testing.T) {
	for _, good := range []string{"a", "A-_9", strings.Repeat("x", 64)} {
		if !Valid(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", 65), "a/b", "..", "a b", "a\n", "é", "a.b", "a\x00"} {
		if Valid(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}
