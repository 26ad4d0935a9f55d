// Package mixes runs the acceptance suite, compiled, where it matters: behind the
// proxy with its routes at each stage, and against shops that are broken on
// purpose, to see that the suite can fail.
package mixes
