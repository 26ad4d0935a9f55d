// Package differ tells what changed between two answers to the same request: one
// from BEFORE a change, one from AFTER it. Values go in, findings come out: it opens
// no connection, reads no file, asks no clock, and knows neither tests nor
// recordings nor servers.
//
// It promises:
//
//   - Compare(x, x) finds nothing, whatever x is.
//   - JSON is read exactly: numbers stay decimal text and never become floats,
//     duplicate keys, lone surrogates and invalid UTF-8 are noticed. Key order does
//     not matter; 1 and 1.0 are the same number and a [Format] finding.
//   - Array order matters, unless a rule or a BEFORE/BEFORE pair says that it does not.
//   - Noise is relaxed, never dropped: a place that differs between two runs of BEFORE
//     (see [Noise]) must still be there, with a type and a format that BEFORE was seen to use.
//   - Generated identifiers are unified: values minted by a write are bound one to
//     one between the sides, and whatever breaks that bijection is an [Identity] finding.
//   - The same input gives the same findings in the same order, at most
//     Limits.Findings of them for one pair, each value shortened and without secrets.
//   - Time and memory are bounded by Limits, also for hostile bodies.
//
// It refuses to guess: a body beyond the limits is compared as bytes, a rule that does
// not parse is an error, and a rule that matched nothing is reported by
// [Differ.Unused]. Compressed bodies are the caller's affair: decode them first.
//
// What it cannot see, by design: a change inside an ignored place; a change of a
// relaxed value that keeps its format (unless the value is a bound identifier or a
// timestamp further off than Rules.TimeSkew); a change of headers that the policy
// ignores; white space, comments, end tags and attribute order in HTML; two identical
// elements that trade places; a wrong identifier that appears in one exchange only and
// is minted there.
package differ
