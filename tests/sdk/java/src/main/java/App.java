import io.sentry.Attachment;
import io.sentry.Breadcrumb;
import io.sentry.CheckIn;
import io.sentry.CheckInStatus;
import io.sentry.MonitorConfig;
import io.sentry.MonitorSchedule;
import io.sentry.Sentry;
import io.sentry.SentryAttribute;
import io.sentry.SentryAttributes;
import io.sentry.SentryEvent;
import io.sentry.SentryLevel;
import io.sentry.SentryLogLevel;
import io.sentry.logger.SentryLogParameters;
import io.sentry.protocol.Feedback;
import io.sentry.protocol.Message;
import io.sentry.protocol.User;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** Everything that Sentry's Java SDK can send, with fixed values; expected.mjs is the table of them. */
public final class App {
  static void pay() {
    throw new IllegalStateException("card reader unplugged");
  }

  static void connect() {
    throw new ArithmeticException("socket closed");
  }

  static void readSensor() {
    try {
      connect();
    } catch (ArithmeticException cause) {
      throw new RuntimeException("sensor lost", cause);
    }
  }

  public static void main(String[] arguments) {
    Sentry.init(
        options -> {
          options.setDsn(System.getenv("SENTRY_DSN"));
          options.setRelease("shop@1.4.2");
          options.setEnvironment("quay");
          options.setDist("7");
          options.setServerName("till-3");
          options.setTracesSampleRate(1.0);
          options.getLogs().setEnabled(true);
          options.addInAppInclude("App");
        });
    Sentry.configureScope(
        scope -> {
          User user = new User();
          user.setId("42");
          user.setEmail("ada@example.com");
          user.setUsername("ada");
          scope.setUser(user);
          scope.setTag("shift", "night");
          scope.setContexts("tank", Map.of("fuel", "diesel", "level", 7, "sealed", true));
          scope.setExtra("queue", "1 2 3");
        });
    Breadcrumb clicked = new Breadcrumb("clicked pay");
    clicked.setCategory("ui.click");
    clicked.setLevel(SentryLevel.INFO);
    clicked.setData("button", "pay");
    Sentry.addBreadcrumb(clicked);
    Breadcrumb stuck = new Breadcrumb("drawer stuck");
    stuck.setCategory("till");
    stuck.setType("debug");
    stuck.setLevel(SentryLevel.WARNING);
    Sentry.addBreadcrumb(stuck);

    Sentry.startSession();
    try {
      pay();
    } catch (IllegalStateException error) {
      Sentry.captureException(error);
    }
    try {
      readSensor();
    } catch (RuntimeException error) {
      Sentry.captureException(
          error,
          scope -> {
            scope.setLevel(SentryLevel.FATAL);
            scope.setFingerprint(List.of("sensor", "lost"));
          });
    }

    Message pump = new Message();
    pump.setMessage("pump %s at %s");
    pump.setParams(List.of("7", "dock"));
    pump.setFormatted("pump 7 at dock");
    SentryEvent event = new SentryEvent();
    event.setMessage(pump);
    event.setLevel(SentryLevel.WARNING);
    event.setLogger("plant");
    Sentry.captureEvent(event);

    Sentry.withScope(
        scope -> {
          scope.addAttachment(
              new Attachment("paid 12 €\n".getBytes(StandardCharsets.UTF_8), "receipt.txt", "text/plain"));
          scope.addAttachment(new Attachment(new byte[] {0, -1, 10, 13, 0, 1}, "scan.bin"));
          Sentry.captureMessage("printer on fire", SentryLevel.ERROR);
        });

    var checkout = Sentry.startTransaction("checkout", "task");
    var query = checkout.startChild("db.query", "SELECT tills");
    var read = query.startChild("cache.get", "till:3");
    read.finish();
    query.finish();
    checkout.finish();

    Sentry.logger()
        .log(
            SentryLogLevel.INFO,
            SentryLogParameters.create(
                SentryAttributes.of(
                    SentryAttribute.integerAttribute("till", 3),
                    SentryAttribute.booleanAttribute("open", true),
                    SentryAttribute.doubleAttribute("ratio", 0.5))),
            "till opened");
    Sentry.logger().error("drawer %s jammed", "B");
    Sentry.metrics().count("sales", 3.0);
    Sentry.metrics().gauge("queue.length", 5.0);
    Sentry.metrics().distribution("wait", 187.5, "millisecond");

    MonitorConfig config = new MonitorConfig(MonitorSchedule.crontab("0 3 * * *"));
    config.setCheckinMargin(5L);
    config.setMaxRuntime(30L);
    config.setTimezone("Europe/Amsterdam");
    CheckIn begun = new CheckIn("nightly-count", CheckInStatus.IN_PROGRESS);
    begun.setMonitorConfig(config);
    var id = Sentry.captureCheckIn(begun);
    CheckIn done = new CheckIn(id, "nightly-count", CheckInStatus.OK);
    done.setDuration(12.5);
    Sentry.captureCheckIn(done);

    Feedback feedback = new Feedback("The till is too slow");
    feedback.setName("Grace");
    feedback.setContactEmail("grace@example.com");
    feedback.setUrl("https://shop.example.com/till");
    Sentry.captureFeedback(feedback);

    Sentry.endSession();
    Sentry.flush(10_000);
    Sentry.close();
  }
}
