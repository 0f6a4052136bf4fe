// SPDX-License-Identifier: Apache-2.0

// Command calls is a gRPC app that tells exactly what reached it, so that a
// call that went through the mesh can be compared with one that did not.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Seen is what reached the app.
type Seen struct {
	Method   string      `json:"method"`
	Message  string      `json:"message"`
	Metadata metadata.MD `json:"metadata"`
}

// streamed is how many messages Stream sends, pause apart.
const (
	streamed = 4
	pause    = 150 * time.Millisecond
)

func main() {
	listener, err := net.Listen("tcp", ":9090")
	if err == nil {
		server := grpc.NewServer()
		server.RegisterService(service(), nil)
		err = server.Serve(listener)
	}
	slog.Error("calls stops", "error", err)
	os.Exit(1)
}

// service is daprise.test.Calls, whose messages are all google.protobuf.StringValue.
func service() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: "daprise.test.Calls",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "Tell", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				return tell(ctx, decode)
			}},
			{MethodName: "Fail", Handler: func(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) {
				return nil, status.Error(codes.NotFound, "there is none: 100 %")
			}},
		},
		Streams: []grpc.StreamDesc{
			{StreamName: "Stream", Handler: stream, ServerStreams: true},
			{StreamName: "Repeat", Handler: repeat, ServerStreams: true, ClientStreams: true},
		},
	}
}

func seen(ctx context.Context, message string) (*wrapperspb.StringValue, error) {
	method, _ := grpc.Method(ctx)
	md, _ := metadata.FromIncomingContext(ctx)
	data, err := json.Marshal(Seen{Method: method, Message: message, Metadata: md})
	return wrapperspb.String(string(data)), err
}

// tell answers with what it saw, with metadata before and after it.
func tell(ctx context.Context, decode func(any) error) (any, error) {
	var in wrapperspb.StringValue
	if err := decode(&in); err != nil {
		return nil, err
	}
	err := errors.Join(
		grpc.SetHeader(ctx, metadata.Pairs("x-before", "1", "x-before", "2")),
		grpc.SetTrailer(ctx, metadata.Pairs("x-after", "3")),
	)
	if err != nil {
		return nil, err
	}
	return seen(ctx, in.GetValue())
}

func stream(_ any, s grpc.ServerStream) error {
	var in wrapperspb.StringValue
	if err := s.RecvMsg(&in); err != nil {
		return err
	}
	out, err := seen(s.Context(), in.GetValue())
	if err != nil {
		return err
	}
	for range streamed {
		if err := s.SendMsg(out); err != nil {
			return err
		}
		time.Sleep(pause)
	}
	s.SetTrailer(metadata.Pairs("x-after", "4"))
	return nil
}

// repeat sends back whatever comes, as it comes.
func repeat(_ any, s grpc.ServerStream) error {
	for {
		var in wrapperspb.StringValue
		err := s.RecvMsg(&in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = s.SendMsg(&in)
		}
		if err != nil {
			return err
		}
	}
}
