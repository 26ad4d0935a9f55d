// Command catalog runs the catalog service: the reads of the catalog, on a copy of the
// monolith's data.
package main

import "github.com/stranglerfig/toolkit/internal/service"

func main() { service.Main(owner, command) }
