// Command recommendations runs the recommendations service, the first one that left
// the monolith.
package main

import "github.com/stranglerfig/toolkit/internal/service"

func main() { service.Main(owner, command) }
