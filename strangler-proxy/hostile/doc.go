// Package hostile holds nothing but tests of what clients can do to the running program:
// slow ones, a thousand at a time; streams that are opened and reset; bodies of
// gigabytes; answers that nobody waits for; frames that no client should send. The
// proxy runs as a process of its own, so that its memory, descriptors, goroutines and
// processor time are its own, too, and are those of the program that users run.
//
// SOAK=1 makes the tests as long as the figures that they promise; without it they do
// the same with less.
package hostile
