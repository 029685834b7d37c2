// SPDX-License-Identifier: Apache-2.0

// What receivers.py compares with where the server itself cannot be had: Pyroscope's own parser of names
// (module github.com/grafana/pyroscope/api) and pprof's own reader behind /ingest. Listens on the address
// that is its argument; answers 200 and prints the name and the sum of each value type, or 400 and why.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/google/pprof/profile"
	"github.com/grafana/pyroscope/api/model/labelset"
)

func ingest(r *http.Request) (string, error) {
	q := r.URL.Query()
	if q.Get("format") != "pprof" {
		return "", fmt.Errorf("format %q", q.Get("format"))
	}
	name, err := labelset.Parse(q.Get("name"))
	if err != nil {
		return "", err
	}
	p, err := profile.Parse(r.Body)
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("%s from=%s until=%s", name.Normalized(), q.Get("from"), q.Get("until"))
	for i, t := range p.SampleType {
		var sum int64
		for _, s := range p.Sample {
			sum += s.Value[i]
		}
		said += fmt.Sprintf(" %s/%s=%d", t.Type, t.Unit, sum)
	}
	return said, labelset.ValidateLabelSet(name)
}

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/ready", func(w http.ResponseWriter, r *http.Request) {})
	http.HandleFunc("/ingest", func(w http.ResponseWriter, r *http.Request) {
		said, err := ingest(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Println(said)
	})
	panic(http.Serve(listener, nil))
}
