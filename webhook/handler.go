// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"time"

	"golang.org/x/sync/semaphore"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// MaxBody is the longest AdmissionReview that is read, in bytes. The API server accepts request bodies of 3 MiB (k8s.io/apiserver
	// pkg/server/config.go, MaxRequestBodyBytes) and a review holds at most two objects; 1 MiB is for their defaults and managed
	// fields and 1 MiB for the rest of the review.
	MaxBody = 8 << 20
	// maxBodies bounds the bodies that are held at one time, in bytes, however many connections there are. A call that finds no room
	// waits for it until its time is over.
	maxBodies = 64 << 20
	// maxTime is the longest that one call may take; the webhook configurations' timeoutSeconds asks for no more.
	maxTime = 5 * time.Second
)

// mediaJSON is the only type that is read, and the one that is written.
const mediaJSON = "application/json"

// handler answers one of the two paths.
type handler struct {
	phase  phase
	edge   *Edge
	bodies *semaphore.Weighted
}

// ServeHTTP implements http.Handler. This file alone knows HTTP codes of answers that are not reviews.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), callTime(r))
	defer cancel()
	if code, err := checkHeader(r); err != nil {
		h.fail(w, failure{code: code, err: err})
		return
	}
	size := r.ContentLength
	if size < 0 {
		size = MaxBody
	}
	if err := h.bodies.Acquire(ctx, size); err != nil {
		h.fail(w, failure{code: http.StatusServiceUnavailable, err: fmt.Errorf("wait for memory: %w", err)})
		return
	}
	defer h.bodies.Release(size)
	body, err := readBody(w, r)
	if err != nil {
		h.fail(w, failure{code: bodyCode(err), err: err})
		return
	}
	h.review(ctx, w, body)
}

// review decodes, decides and answers. A panic in a decision is our fault and not the user's: HTTP 500 with the request's UID.
func (h *handler) review(ctx context.Context, w http.ResponseWriter, body []byte) {
	request, err := decodeReview(body)
	if request == nil {
		request = &admissionv1.AdmissionRequest{}
	}
	if err != nil {
		h.fail(w, failure{code: http.StatusBadRequest, request: request, err: err})
		return
	}
	defer func() {
		reason := recover()
		if reason == nil {
			return
		}
		h.edge.log.Error("panic", "uid", request.UID, "reason", fmt.Sprint(reason), "stack", string(debug.Stack()))
		h.fail(w, failure{code: http.StatusInternalServerError, request: request, err: fmt.Errorf("panic: %v", reason)})
	}()
	verdict, err := h.edge.decide(ctx, h.phase, request)
	if err != nil {
		// Fail-open or fail-closed is not ours to say here: an HTTP error leaves it to the hook's failurePolicy, where a denial
		// would refuse even under Ignore.
		code := http.StatusInternalServerError
		if errors.Is(err, errMalformed) {
			code = http.StatusBadRequest
		}
		h.fail(w, failure{code: code, request: request, err: err})
		return
	}
	response, err := answer(request, verdict)
	if err != nil {
		h.fail(w, failure{code: http.StatusInternalServerError, request: request, err: err})
		return
	}
	h.write(w, http.StatusOK, response)
}

// failure is an answer that is not a review.
type failure struct {
	code    int
	request *admissionv1.AdmissionRequest
	err     error
}

// fail answers with a Status, which the API server's client understands, so that whoever made the request reads our words.
func (h *handler) fail(w http.ResponseWriter, f failure) {
	message := fmt.Sprintf("daprise-webhook: %s", f.err)
	attributes := []any{"code", f.code, "path", h.phase.path(), "error", f.err}
	details := &metav1.StatusDetails{}
	if f.request != nil {
		if f.request.UID != "" {
			message = fmt.Sprintf("daprise-webhook: request %s: %s", f.request.UID, f.err)
		}
		details.UID = f.request.UID
		attributes = append(attributes, "uid", f.request.UID, "object", objectOf(f.request).String())
	}
	h.edge.log.Log(context.Background(), levelOf(f.code), "not answered", attributes...)
	h.edge.metrics.failed(f.request)
	h.write(w, f.code, &metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure,
		Code:     int32(f.code),
		Reason:   reasonOf(f.code),
		Message:  cut(message, maxMessage),
		Details:  details,
	})
}

func (h *handler) write(w http.ResponseWriter, code int, answer any) {
	body, err := encoded(answer)
	if err != nil {
		h.edge.log.Error("encode answer", "error", err)
		http.Error(w, "encode answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", mediaJSON)
	w.WriteHeader(code)
	if _, err := w.Write(body); err != nil {
		h.edge.log.Debug("write answer", "error", err)
	}
}

// callTime is how long the API server waits for an answer, which it says in the query, and at most maxTime.
func callTime(r *http.Request) time.Duration {
	if r.URL.RawQuery == "" {
		return maxTime
	}
	asked, err := time.ParseDuration(r.URL.Query().Get("timeout"))
	if err != nil || asked <= 0 {
		return maxTime
	}
	return min(asked, maxTime)
}

func checkHeader(r *http.Request) (int, error) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, fmt.Errorf("method %s, want POST", cut(r.Method, 16))
	}
	contentType := r.Header.Get("Content-Type")
	if contentType == mediaJSON {
		return lengthCode(r)
	}
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != mediaJSON {
		return http.StatusUnsupportedMediaType, fmt.Errorf("content type %.64q, want %s", contentType, mediaJSON)
	}
	return lengthCode(r)
}

func lengthCode(r *http.Request) (int, error) {
	if r.ContentLength > MaxBody {
		return http.StatusRequestEntityTooLarge, fmt.Errorf("body of %d bytes, at most %d are read", r.ContentLength, MaxBody)
	}
	return 0, nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var body bytes.Buffer
	if r.ContentLength > 0 {
		body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := io.Copy(&body, http.MaxBytesReader(w, r.Body, MaxBody)); err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return body.Bytes(), nil
}

func bodyCode(err error) int {
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

func reasonOf(code int) metav1.StatusReason {
	switch code {
	case http.StatusBadRequest:
		return metav1.StatusReasonBadRequest
	case http.StatusMethodNotAllowed:
		return metav1.StatusReasonMethodNotAllowed
	case http.StatusRequestEntityTooLarge:
		return metav1.StatusReasonRequestEntityTooLarge
	case http.StatusUnsupportedMediaType:
		return metav1.StatusReasonUnsupportedMediaType
	case http.StatusServiceUnavailable:
		return metav1.StatusReasonServiceUnavailable
	default:
		return metav1.StatusReasonInternalError
	}
}

func levelOf(code int) slog.Level {
	if code >= http.StatusInternalServerError {
		return slog.LevelError
	}
	return slog.LevelWarn
}
