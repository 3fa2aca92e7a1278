// Everything that sentry-go can send, with fixed values; expected.mjs is the table of them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/getsentry/sentry-go"
	"github.com/getsentry/sentry-go/attribute"
)

type CardError struct{ reason string }

func (e *CardError) Error() string { return e.reason }

func pay() error {
	return &CardError{"card reader unplugged"}
}

func readSensor() error {
	return fmt.Errorf("sensor lost: %w", errors.New("socket closed"))
}

func reportCard()   { sentry.CaptureException(pay()) }
func reportSensor() { sentry.CaptureException(readSensor()) }

func run() error {
	err := sentry.Init(sentry.ClientOptions{
		Dsn:              os.Getenv("SENTRY_DSN"),
		Release:          "shop@1.4.2",
		Environment:      "quay",
		Dist:             "7",
		ServerName:       "till-3",
		EnableTracing:    true,
		TracesSampleRate: 1,
		AttachStacktrace: true,
	})
	if err != nil {
		return err
	}
	sentry.ConfigureScope(func(scope *sentry.Scope) {
		scope.SetUser(sentry.User{ID: "42", Email: "ada@example.com", Username: "ada"})
		scope.SetTag("shift", "night")
		scope.SetContext("tank", sentry.Context{"fuel": "diesel", "level": 7, "sealed": true})
	})
	sentry.AddBreadcrumb(&sentry.Breadcrumb{Category: "ui.click", Message: "clicked pay", Level: sentry.LevelInfo, Data: map[string]any{"button": "pay"}})
	sentry.AddBreadcrumb(&sentry.Breadcrumb{Category: "till", Type: "debug", Message: "drawer stuck", Level: sentry.LevelWarning})

	reportCard()
	sentry.WithScope(func(scope *sentry.Scope) {
		scope.SetLevel(sentry.LevelFatal)
		scope.SetFingerprint([]string{"sensor", "lost"})
		reportSensor()
	})
	sentry.WithScope(func(scope *sentry.Scope) {
		scope.AddAttachment(&sentry.Attachment{Filename: "receipt.txt", ContentType: "text/plain", Payload: []byte("paid 12 €\n")})
		scope.AddAttachment(&sentry.Attachment{Filename: "scan.bin", Payload: []byte{0, 255, 10, 13, 0, 1}})
		sentry.CaptureMessage("printer on fire")
	})

	transaction := sentry.StartTransaction(context.Background(), "checkout", sentry.WithOpName("task"))
	query := transaction.StartChild("db.query", sentry.WithDescription("SELECT tills"))
	read := query.StartChild("cache.get", sentry.WithDescription("till:3"))
	read.Finish()
	query.Finish()

	logger := sentry.NewLogger(transaction.Context())
	logger.Info().Int("till", 3).Bool("open", true).Float64("ratio", 0.5).Emit("till opened")
	logger.Error().Emitf("drawer %s jammed", "B")
	meter := sentry.NewMeter(transaction.Context())
	meter.Count("sales", 3, sentry.WithAttributes(attribute.String("lane", "left")))
	meter.Gauge("queue.length", 5)
	meter.Distribution("wait", 187.5, sentry.WithUnit("millisecond"))
	transaction.Finish()

	config := &sentry.MonitorConfig{Schedule: sentry.CrontabSchedule("0 3 * * *"), CheckInMargin: 5, MaxRuntime: 30, Timezone: "Europe/Amsterdam"}
	id := sentry.CaptureCheckIn(&sentry.CheckIn{MonitorSlug: "nightly-count", Status: sentry.CheckInStatusInProgress}, config)
	sentry.CaptureCheckIn(&sentry.CheckIn{ID: *id, MonitorSlug: "nightly-count", Status: sentry.CheckInStatusOK, Duration: 12500 * time.Millisecond}, config)

	if !sentry.Flush(10 * time.Second) {
		return errors.New("not everything was sent in time")
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
