// SPDX-License-Identifier: Apache-2.0

// What Go's runtime writes of itself, into the folder that is named: one file for each kind of
// profile, with work behind it that gives each of them something to hold.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

var keep [][]byte

func work(until time.Time) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go pprof.Do(context.Background(), pprof.Labels("worker", fmt.Sprint(i)), func(context.Context) {
			defer wg.Done()
			for time.Now().Before(until) {
				var b bytes.Buffer
				z := gzip.NewWriter(&b)
				z.Write(make([]byte, 100000))
				z.Close()
				mu.Lock()
				keep = append(keep, b.Bytes())
				time.Sleep(time.Millisecond)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func main() {
	dir := os.Args[1]
	runtime.MemProfileRate = 512
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	cpu, err := os.Create(filepath.Join(dir, "go-cpu"))
	if err != nil {
		panic(err)
	}
	pprof.StartCPUProfile(cpu)
	work(time.Now().Add(time.Second))
	pprof.StopCPUProfile()
	cpu.Close()
	for _, p := range pprof.Profiles() {
		f, err := os.Create(filepath.Join(dir, "go-"+p.Name()))
		if err != nil {
			panic(err)
		}
		p.WriteTo(f, 0)
		f.Close()
	}
}
