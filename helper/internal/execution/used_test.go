package execution

import (
	"strconv"
	"testing"
	"time"
)

func TestAUsedIDIsKnownForItsTimeAndTheOldestGoFirst(t *testing.T) {
	u, now := newUsedIDs(), time.Unix(1000, 0)
	u.add("first", now)
	if !u.has("first", now.Add(usedLife-time.Second)) || u.has("first", now.Add(usedLife)) || u.has("other", now) {
		t.Error("an id is known for its time, and no other")
	}
	for i := range maxUsed {
		u.add(strconv.Itoa(i), now)
	}
	if u.has("first", now) || !u.has("0", now) || len(u.until) != maxUsed {
		t.Errorf("%d are kept", len(u.until))
	}
	u.add("later", now.Add(usedLife))
	if len(u.until) != 1 || len(u.order) != 1 {
		t.Errorf("%d are kept", len(u.until))
	}
}
