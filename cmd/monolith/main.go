// Command monolith runs the shop before it is taken apart.
package main

import "github.com/stranglerfig/toolkit/internal/service"

func main() { service.Main(owner, command) }
