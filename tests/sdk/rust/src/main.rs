// Everything that Sentry's Rust SDK can send, with fixed values; expected.mjs is the table of them.
use std::fmt;

use sentry::protocol::{
    Attachment, Breadcrumb, Context, Envelope, Event, LogEntry, MonitorCheckIn, MonitorCheckInStatus, MonitorConfig,
    MonitorSchedule, Unit, User,
};
use sentry::{ClientOptions, Level};

#[derive(Debug)]
struct SocketError;
impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "socket closed")
    }
}
impl std::error::Error for SocketError {}

#[derive(Debug)]
struct SensorError {
    source: SocketError,
}
impl fmt::Display for SensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sensor lost")
    }
}
impl std::error::Error for SensorError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[derive(Debug)]
struct CardError;
impl fmt::Display for CardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "card reader unplugged")
    }
}
impl std::error::Error for CardError {}

fn main() {
    let mut options = ClientOptions::new();
    options.dsn = std::env::var("SENTRY_DSN").ok().and_then(|dsn| dsn.parse().ok());
    options.release = Some("shop@1.4.2".into());
    options.environment = Some("quay".into());
    options.server_name = Some("till-3".into());
    options.traces_sampling_strategy = sentry::TracesSamplingStrategy::FixedRate(1.0);
    let guard = sentry::init(options);

    sentry::configure_scope(|scope| {
        scope.set_user(Some(User {
            id: Some("42".into()),
            email: Some("ada@example.com".into()),
            username: Some("ada".into()),
            ..Default::default()
        }));
        scope.set_tag("shift", "night");
        scope.set_extra("queue", vec![1, 2, 3].into());
        let tank = [("fuel", "diesel".into()), ("level", 7.into()), ("sealed", true.into())];
        scope.set_context("tank", Context::Other(tank.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()));
    });
    sentry::add_breadcrumb(Breadcrumb {
        category: Some("ui.click".into()),
        message: Some("clicked pay".into()),
        level: Level::Info,
        data: [("button".to_owned(), "pay".into())].into_iter().collect(),
        ..Default::default()
    });
    sentry::add_breadcrumb(Breadcrumb {
        category: Some("till".into()),
        ty: "debug".into(),
        message: Some("drawer stuck".into()),
        level: Level::Warning,
        ..Default::default()
    });
    sentry::start_session();

    sentry::capture_error(&CardError);
    sentry::with_scope(
        |scope| {
            scope.set_level(Some(Level::Fatal));
            scope.set_fingerprint(Some(["sensor", "lost"].as_ref()));
        },
        || sentry::capture_error(&SensorError { source: SocketError }),
    );
    sentry::capture_event(Event {
        level: Level::Warning,
        logger: Some("plant".into()),
        logentry: Some(LogEntry { message: "pump %s at %s".into(), params: vec!["7".into(), "dock".into()] }),
        ..Default::default()
    });
    sentry::with_scope(
        |scope| {
            scope.add_attachment(Attachment {
                buffer: "paid 12 €\n".as_bytes().to_vec(),
                filename: "receipt.txt".into(),
                content_type: Some("text/plain".into()),
                ty: None,
            });
            scope.add_attachment(Attachment {
                buffer: vec![0, 255, 10, 13, 0, 1],
                filename: "scan.bin".into(),
                content_type: None,
                ty: None,
            });
        },
        || sentry::capture_message("printer on fire", Level::Error),
    );

    let checkout = sentry::start_transaction(sentry::TransactionContext::new("checkout", "task"));
    let query = checkout.start_child("db.query", "SELECT tills");
    query.start_child("cache.get", "till:3").finish();
    query.finish();
    checkout.finish();

    sentry::logger_info!(till = 3, open = true, ratio = 0.5, "till opened");
    sentry::logger_error!("drawer {} jammed", "B");
    sentry::metrics::counter("sales", 3.0).capture();
    sentry::metrics::gauge("queue.length", 5.0).capture();
    sentry::metrics::distribution("wait", 187.5).unit(Unit::Millisecond).capture();

    let client = sentry::Hub::current().client().expect("a client");
    let id = uuid::Uuid::new_v4();
    for status in [MonitorCheckInStatus::InProgress, MonitorCheckInStatus::Ok] {
        let done = matches!(status, MonitorCheckInStatus::Ok);
        let mut envelope = Envelope::new();
        envelope.add_item(MonitorCheckIn {
            check_in_id: id,
            monitor_slug: "nightly-count".into(),
            status,
            environment: Some("quay".into()),
            duration: done.then_some(12.5),
            monitor_config: Some(MonitorConfig {
                schedule: MonitorSchedule::from_crontab("0 3 * * *").expect("a schedule"),
                checkin_margin: Some(5),
                max_runtime: Some(30),
                timezone: Some("Europe/Amsterdam".into()),
                failure_issue_threshold: None,
                recovery_threshold: None,
            }),
        });
        client.send_envelope(envelope);
    }
    sentry::end_session();
    client.flush(Some(std::time::Duration::from_secs(10)));
    drop(guard);
}
