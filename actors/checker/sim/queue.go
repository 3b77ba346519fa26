package sim

import "container/heap"

// queue is virtual time: what happens, in the order of its moment and of its being asked for.
type queue struct {
	now    uint64 // unix ms
	events events
	asked  uint64
}

type event struct {
	at, nth uint64
	do      func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].nth < e[j].nth
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	(*e)[len(*e)-1] = event{}
	*e = (*e)[:len(*e)-1]
	return last
}

// at asks for something to happen; what is past happens next.
func (q *queue) at(when uint64, do func()) {
	q.asked++
	heap.Push(&q.events, event{max(when, q.now), q.asked, do})
}

// run lets time pass up to a moment and drops what was asked for later.
func (q *queue) run(until uint64) {
	for len(q.events) > 0 && q.events[0].at <= until {
		e := heap.Pop(&q.events).(event)
		q.now = e.at
		e.do()
	}
	q.now, q.events = until, nil
}
