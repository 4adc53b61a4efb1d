// The workloads of Retell's benchmark, run by go-workflows: one store, one workload, one line of JSON.
//
// Started by `retell-bench compare`, which says what is to be run and reads the line. The tree is that of go-workflows'
// own benchmark, under the same options.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cschleiden/go-workflows/backend"
	"github.com/cschleiden/go-workflows/backend/monoprocess"
	"github.com/cschleiden/go-workflows/backend/sqlite"
	"github.com/cschleiden/go-workflows/client"
	"github.com/cschleiden/go-workflows/worker"
	"github.com/google/uuid"
)

const (
	version    = "go-workflows 1.2.0"
	samplesMax = 25
	patience   = 4 * time.Minute
)

var (
	store        = flag.String("store", "sqlite", "sqlite or memory")
	settings     = flag.String("settings", "default", "default or best")
	workloadName = flag.String("workload", "w1", "w1 to w5, or tree")
	_            = flag.String("peer", "go-workflows", "itself")
	count        = flag.Int("count", 0, "runs, or activities if it is one run; 0 for the workload's own number")
	milliseconds = flag.Int("milliseconds", 1000, "how long a turn lasts, unless a single sample takes longer")
	directory    = flag.String("directory", ".", "where SQLite files are made")

	runs       = flag.Int("runs", 50, "tree: number of roots")
	depth      = flag.Int("depth", 2, "tree: depth of the middle")
	fanout     = flag.Int("fanout", 2, "tree: children of a root or a middle one")
	leaffanout = flag.Int("leaffanout", 2, "tree: leaves of a lowest middle one")
	activities = flag.Int("activities", 2, "tree: activities of a leaf")
	resultsize = flag.Int("resultsize", 100, "tree: bytes of an activity's result")
)

// Turn is what the benchmark reads.
type Turn struct {
	Version    string   `json:"version"`
	Durability string   `json:"durability"`
	Settings   string   `json:"settings"`
	Samples    []Sample `json:"samples"`
}

// Sample is one repetition of a workload.
type Sample struct {
	Operations uint64   `json:"operations"`
	Took       int64    `json:"took_ns"`
	Failed     uint64   `json:"failed"`
	Latencies  []uint64 `json:"latencies_ns"`
}

func main() {
	flag.Parse()
	turn, err := measure()
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(turn)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "go-workflows:", err)
		os.Exit(1)
	}
}

func measure() (*Turn, error) {
	w, err := named(*workloadName)
	if err != nil {
		return nil, err
	}
	if *count > 0 {
		w = w.sized(*count)
	}
	folder, err := os.MkdirTemp(*directory, "go-workflows-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	quiet := backend.WithLogger(slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError})))
	var b backend.Backend
	turn := &Turn{Version: version, Settings: "defaults"}
	switch *store {
	case "sqlite":
		// SQLite's own default.
		turn.Durability = "SQLite, synchronous=FULL"
		b = sqlite.NewSqliteBackend(filepath.Join(folder, "bench.sqlite"), sqlite.WithBackendOptions(quiet))
	case "memory":
		turn.Durability = "memory (SQLite's)"
		b = sqlite.NewInMemoryBackend(sqlite.WithBackendOptions(quiet))
	default:
		return nil, fmt.Errorf("it does not store in %q here", *store)
	}
	options := worker.DefaultOptions
	if *settings == "best" {
		turn.Settings = "one process, cache of 10,000 runs"
		b = monoprocess.NewMonoprocessBackend(b)
		options.WorkflowExecutorCacheSize = 10_000
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	host := worker.New(b, &options)
	if err := register(host); err != nil {
		return nil, err
	}
	if err := host.Start(ctx); err != nil {
		return nil, err
	}
	turn.Samples = samples(ctx, client.New(b), w)
	return turn, nil
}

func samples(ctx context.Context, c *client.Client, w workload) []Sample {
	sample(ctx, c, w.tenth())
	began := time.Now()
	least := time.Duration(*milliseconds) * time.Millisecond
	var taken []Sample
	for len(taken) == 0 || (time.Since(began) < least && len(taken) < samplesMax) {
		taken = append(taken, sample(ctx, c, w))
	}
	return taken
}

func sample(ctx context.Context, c *client.Client, w workload) Sample {
	began := time.Now()
	latencies := make([]uint64, w.runs)
	failures := make([]uint64, w.runs)
	one := func(i int, since time.Time) {
		if err := w.one(ctx, c); err != nil {
			failures[i] = 1
		}
		latencies[i] = uint64(time.Since(since))
	}
	if w.atOnce {
		var all sync.WaitGroup
		for i := range w.runs {
			all.Add(1)
			go func() {
				defer all.Done()
				one(i, began)
			}()
		}
		all.Wait()
	} else {
		for i := range w.runs {
			one(i, time.Now())
		}
	}
	s := Sample{Operations: uint64(w.runs) * w.operations, Took: int64(time.Since(began)), Latencies: latencies}
	for _, failed := range failures {
		s.Failed += failed
	}
	return s
}

// one starts a run and waits for its result.
func (w workload) one(ctx context.Context, c *client.Client) error {
	options := client.WorkflowInstanceOptions{InstanceID: uuid.NewString()}
	instance, err := c.CreateWorkflowInstance(ctx, options, w.workflow, w.input)
	if err != nil {
		return err
	}
	return c.WaitForWorkflowInstance(ctx, instance, patience)
}
