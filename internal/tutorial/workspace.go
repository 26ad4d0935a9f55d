package tutorial

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build compiles every program below root's cmd folder into dir, and the suite that the
// chapters run, as `make build suite` does.
func Build(ctx context.Context, root, dir string) error {
	for _, args := range [][]string{
		{"build", "-o", dir + string(filepath.Separator), "./cmd/..."},
		{"test", "-c", "-o", filepath.Join(dir, "acceptance.test"), "./acceptance"},
	} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// Workspace fills dir with what a reader has after cloning the repository at root and
// building it: a copy of its files and bin, a folder of built programs. What a chapter
// writes stays in dir.
func Workspace(root, bin, dir string) error {
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch name {
		case ".git", "bin", "var", "artifacts":
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		switch target := filepath.Join(dir, name); {
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case entry.Type().IsRegular():
			return copyFile(path, target)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("copy the repository: %w", err)
	}
	return linkPrograms(bin, filepath.Join(dir, "bin"))
}

// linkPrograms fills the folder to with the programs in from. They are no symbolic
// links: a program says where it lies, and that shall be the reader's bin.
func linkPrograms(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	programs, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, p := range programs {
		source, target := filepath.Join(from, p.Name()), filepath.Join(to, p.Name())
		if err := os.Link(source, target); err == nil {
			continue
		}
		if err := copyFile(source, target); err != nil { // on another file system
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, info.Mode().Perm())
}

// Environment returns the variables of a chapter's shell: those that Go needs, a home
// of its own and addresses for the demo.
func Environment(ctx context.Context, home string, ports Ports) ([]string, error) {
	caches, err := exec.CommandContext(ctx, "go", "env", "GOCACHE", "GOMODCACHE", "GOPATH").Output()
	if err != nil {
		return nil, fmt.Errorf("ask go for its folders: %w", err)
	}
	dirs := strings.Fields(string(caches))
	if len(dirs) != 3 {
		return nil, fmt.Errorf("ask go for its folders: got %q", caches)
	}
	env := []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "TERM=dumb", "NO_COLOR=1",
		"GOCACHE=" + dirs[0], "GOMODCACHE=" + dirs[1], "GOPATH=" + dirs[2],
		"BUILD=true", "BUILD_SUITE=true", // the programs are built
	}
	for name, port := range map[string]string{
		"STRANGLER_DEMO_PROXY": "8080", "STRANGLER_DEMO_ADMIN": "8081",
		"STRANGLER_DEMO_MONOLITH": "9000", "STRANGLER_DEMO_RECOMMENDATIONS": "9002",
		"STRANGLER_DEMO_REVIEWS": "9003", "STRANGLER_DEMO_CATALOG": "9004",
	} {
		env = append(env, name+"=127.0.0.1:"+ports.Of(port))
	}
	for _, name := range []string{"CC", "CGO_ENABLED", "GOFLAGS", "GOPROXY", "GOTOOLCHAIN", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env, nil
}
