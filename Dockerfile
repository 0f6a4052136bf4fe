# SPDX-License-Identifier: Apache-2.0

# The server: static, no shell, not root. Built by the same command as everywhere else.
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN GOFLAGS=-trimpath make build

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /src/bin/daprise-webhook /daprise-webhook
COPY --from=build /src/LICENSE /LICENSE
USER 65532:65532
EXPOSE 9443 8080 8081
ENTRYPOINT ["/daprise-webhook"]
