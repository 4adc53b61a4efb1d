package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cschleiden/go-workflows/worker"
	"github.com/cschleiden/go-workflows/workflow"
)

// workload is how many runs there are, of what, and whether all begin at once.
type workload struct {
	runs       int
	operations uint64
	atOnce     bool
	workflow   workflow.Workflow
	input      any
}

// Calls is the input of a chain or a fan.
type Calls struct {
	Count   int
	Payload string
}

// Branch is the input of a tree's inner nodes.
type Branch struct {
	Depth int
}

func named(name string) (workload, error) {
	payload := strings.Repeat("x", 100)
	switch name {
	case "w1":
		return workload{200, 10, true, Chain, Calls{10, payload}}, nil
	case "w2":
		return workload{20, 50, true, Fan, Calls{50, payload}}, nil
	case "w3":
		return workload{300, 1, false, Chain, Calls{1, payload}}, nil
	case "w4":
		return workload{1, 1_000, false, Chain, Calls{1_000, payload}}, nil
	case "w5":
		return workload{1_000, 1, true, Nap, 0}, nil
	case "tree":
		return workload{*runs, treeActivities(), true, Root, Branch{*depth}}, nil
	}
	return workload{}, fmt.Errorf("it does not run %q", name)
}

// treeActivities counts the activities below one root.
func treeActivities() uint64 {
	middles := 1
	for range *depth {
		middles *= *fanout
	}
	return uint64(middles * *leaffanout * *activities)
}

// sized is the same workload with another number of runs, or of activities if it is one run.
func (w workload) sized(count int) workload {
	if calls, ok := w.input.(Calls); ok && w.runs == 1 {
		w.operations, w.input = uint64(count), Calls{count, calls.Payload}
		return w
	}
	w.runs = count
	return w
}

// tenth is a tenth of a workload, to warm up with.
func (w workload) tenth() workload {
	if calls, ok := w.input.(Calls); ok && w.runs == 1 {
		w.input = Calls{calls.Count / 10, calls.Payload}
		return w
	}
	w.runs = max(w.runs/10, 1)
	return w
}

func register(w *worker.Worker) error {
	for _, each := range []workflow.Workflow{Chain, Fan, Nap, Root, Mid, Leaf} {
		if err := w.RegisterWorkflow(each); err != nil {
			return err
		}
	}
	for _, each := range []workflow.Activity{Echo, Fill} {
		if err := w.RegisterActivity(each); err != nil {
			return err
		}
	}
	return nil
}

// Echo gives back what it is given.
func Echo(ctx context.Context, payload string) (string, error) {
	return payload, nil
}

// Fill gives a text of so many bytes.
func Fill(ctx context.Context, bytes int) (string, error) {
	return strings.Repeat("x", bytes), nil
}

// Chain calls Echo one time after the other.
func Chain(ctx workflow.Context, calls Calls) (string, error) {
	payload := calls.Payload
	for range calls.Count {
		answer, err := workflow.ExecuteActivity[string](ctx, workflow.DefaultActivityOptions, Echo, payload).Get(ctx)
		if err != nil {
			return "", err
		}
		payload = answer
	}
	return payload, nil
}

// Fan calls Echo so many times at once.
func Fan(ctx workflow.Context, calls Calls) (int, error) {
	var answers []workflow.Future[string]
	for range calls.Count {
		answers = append(answers, workflow.ExecuteActivity[string](ctx, workflow.DefaultActivityOptions, Echo, calls.Payload))
	}
	return calls.Count, all(ctx, answers)
}

// Nap sleeps for a second.
func Nap(ctx workflow.Context, _ int) error {
	return workflow.Sleep(ctx, time.Second)
}

// Root of a tree, as in go-workflows' own benchmark.
func Root(ctx workflow.Context, branch Branch) error {
	return below(ctx, *fanout, Mid, Branch{branch.Depth - 1})
}

// Mid is an inner node.
func Mid(ctx workflow.Context, branch Branch) error {
	if branch.Depth == 0 {
		return below(ctx, *leaffanout, Leaf, Branch{})
	}
	return below(ctx, *fanout, Mid, Branch{branch.Depth - 1})
}

// Leaf calls activities, all at once.
func Leaf(ctx workflow.Context, _ Branch) error {
	var answers []workflow.Future[string]
	for range *activities {
		answers = append(answers, workflow.ExecuteActivity[string](ctx, workflow.DefaultActivityOptions, Fill, *resultsize))
	}
	return all(ctx, answers)
}

func below(ctx workflow.Context, count int, child workflow.Workflow, branch Branch) error {
	var children []workflow.Future[any]
	for range count {
		options := workflow.DefaultSubWorkflowOptions
		children = append(children, workflow.CreateSubWorkflowInstance[any](ctx, options, child, branch))
	}
	return all(ctx, children)
}

func all[T any](ctx workflow.Context, futures []workflow.Future[T]) error {
	for _, future := range futures {
		if _, err := future.Get(ctx); err != nil {
			return err
		}
	}
	return nil
}
