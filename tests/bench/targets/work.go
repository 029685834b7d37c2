// SPDX-License-Identifier: Apache-2.0

// Go to be stopped at random: goroutines that recurse, sort, compress, encode, collect garbage and
// panic. Runs until it is killed.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sort"
)

type tree struct {
	Name        string
	Left, Right *tree
}

//go:noinline
func grow(depth int, seed uint64) *tree {
	if depth == 0 {
		return nil
	}
	next := seed*6364136223846793005 + 1
	t := &tree{Name: fmt.Sprintf("%x", next)}
	if next%5 == 0 {
		t.Right = grow(depth-1, next)
	} else {
		t.Left = grow(depth-1, next)
	}
	return t
}

//go:noinline
func fail(depth int) int {
	defer func() { _ = depth }()
	if depth == 0 {
		panic("bottom")
	}
	return fail(depth-1) + 1
}

func try(depth int) {
	defer func() { _ = recover() }()
	fail(depth)
}

func work(seed uint64) {
	for {
		seed++
		text, _ := json.Marshal(grow(int(seed%30), seed))
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(text)
		_ = w.Close()
		sum := sha256.Sum256(packed.Bytes())
		numbers := make([]int, 500)
		for i := range numbers {
			numbers[i] = int(sum[i%32]) * i
		}
		sort.Slice(numbers, func(i, j int) bool { return numbers[i] < numbers[j] })
		try(int(seed % 20))
	}
}

func main() {
	for i := uint64(1); i < 4; i++ {
		go work(i * 1000)
	}
	work(0)
}
