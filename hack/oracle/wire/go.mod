module github.com/daprise/daprise/hack/oracle/wire

go 1.26.0
