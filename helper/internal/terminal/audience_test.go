package terminal

import (
	"slices"
	"testing"
)

func member(client string) *attachment { return newAttachment(client, 0, func() {}) }

func TestFirstToWriteIsTheWriterAndTheNextOneReads(t *testing.T) {
	var a audience
	first, second, third := member("a"), member("b"), member("c")
	a.join(third, Read)
	a.join(first, Write)
	a.join(second, Write)
	if a.mode(first) != Write || a.mode(second) != Read || a.mode(third) != Read || a.readers() != 2 {
		t.Fatalf("%+v", a)
	}
}

func TestNobodyIsPromotedWhenTheWriterLeaves(t *testing.T) {
	var a audience
	first, second := member("a"), member("b")
	a.join(first, Write)
	a.join(second, Write)
	a.leave(first)
	a.leave(first)
	if a.writer != nil || a.readers() != 1 {
		t.Fatalf("%+v", a)
	}
	third := member("c")
	a.join(third, Write)
	if a.mode(third) != Write {
		t.Fatal("the place of the writer is not free")
	}
}

func TestTakingOverSwapsTheRoles(t *testing.T) {
	var a audience
	first, second := member("a"), member("b")
	a.join(first, Write)
	a.join(second, Read)
	if a.takeOver("nobody") || a.mode(first) != Write {
		t.Fatal("somebody who is not attached took over")
	}
	if !a.takeOver("b") || a.mode(second) != Write || a.mode(first) != Read {
		t.Fatalf("%+v", a)
	}
}

func TestClientThatComesBackToWriteReplacesItsOwnGhosts(t *testing.T) {
	var a audience
	ghost, watching, other := member("a"), member("a"), member("b")
	a.join(ghost, Write)
	a.join(watching, Read)
	a.join(other, Write)
	again := member("a")
	if replaced := a.join(again, Write); !slices.Equal(replaced, []*attachment{ghost, watching}) {
		t.Fatalf("%d were replaced", len(replaced))
	}
	if a.mode(again) != Write || a.readers() != 1 {
		t.Fatalf("%+v", a)
	}
	// Where another one writes, it stays the writer.
	if a.join(member("b"), Write); a.writer != again {
		t.Fatal("a reader's return changed the writer")
	}
}
