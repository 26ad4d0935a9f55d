// Package record stands between a test suite and the system it tests, and keeps what
// passes: a [Recorder] is a reverse proxy that streams in both directions and appends each
// exchange to a folder as it ends; [Run] runs the suite against it. What is on disk is a
// recording, and [Open] reads it again.
//
// It promises that a recording is readable at whatever moment the recorder was killed,
// that no secret is written (see [differ.Redactor]), that a body beyond the limit is kept
// as its length and hash, and that no process of the suite's group outlives the run.
//
// It judges nothing, changes nothing but the headers named at [Recorder], and does not guess
// which test an exchange belongs to.
package record
