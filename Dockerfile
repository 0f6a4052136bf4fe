# SPDX-License-Identifier: Apache-2.0

# The server: static, no shell, not root. Built by the same command as everywhere else, for the platform that is asked for by the machine that builds. Bases
# are pinned by the digests of their indexes, which hold every platform; Dependabot moves tag and digest together.
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d AS build
ARG TARGETOS TARGETARCH VERSION=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN GOFLAGS=-trimpath GOOS=$TARGETOS GOARCH=$TARGETARCH make build VERSION=$VERSION

FROM gcr.io/distroless/static-debian12:nonroot@sha256:afa5c872c891853ca7fcf1f12c3edb23f7eeef36189728842dd51042ff57f7ab
COPY --from=build /src/bin/daprise-webhook /daprise-webhook
COPY --from=build /src/LICENSE /LICENSE
USER 65532:65532
EXPOSE 9443 8080 8081
ENTRYPOINT ["/daprise-webhook"]
