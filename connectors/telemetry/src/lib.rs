//! Metrics: one enum says every name, what it counts, in which unit, and for whom.
#![forbid(unsafe_code)]

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often values fell into classes; seconds, from a ten-thousandth to a minute.
    Seconds,
    /// The same for numbers of things, from one to a million.
    Numbers,
}

macro_rules! metrics {
    ($($variant:ident = $name:literal $kind:ident [$($label:literal)?] $help:literal,)*) => {
        /// A metric. Units stand last in its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric {
            $(#[doc = $help] $variant,)*
        }

        impl Metric {
            /// All of them.
            pub const ALL: &'static [Metric] = &[$(Metric::$variant,)*];

            const TABLE: &'static [(&'static str, Kind, &'static [&'static str], &'static str)] =
                &[$(($name, Kind::$kind, &[$($label)?], $help),)*];
        }
    };
}

metrics! {
    Events = "plimsoll_events_total" Counter ["verdict"] "Events by verdict: accepted, duplicate, refused.",
    Refused = "plimsoll_refused_total" Counter ["code"] "Refused events by code.",
    Effects = "plimsoll_effects_total" Counter ["type"] "Effects by type.",
    Epochs = "plimsoll_epochs_total" Counter [] "Epochs committed.",
    EpochEvents = "plimsoll_epoch_events" Numbers [] "Events of an epoch.",
    Step = "plimsoll_step_seconds" Seconds [] "Time of a step.",
    Commit = "plimsoll_commit_seconds" Seconds [] "Time of a commit: append and sync.",
    TickToCommit = "plimsoll_tick_to_commit_seconds" Seconds [] "From a submission's arrival to its commit.",
    MarkAge = "plimsoll_mark_age_seconds" Seconds [] "Age of the newest quote, once a second.",
    LogBytes = "plimsoll_log_bytes_total" Counter [] "Bytes of epochs appended to the log.",
    Epoch = "plimsoll_epoch" Gauge [] "Number of the last epoch.",
    SnapshotEpoch = "plimsoll_snapshot_epoch" Gauge [] "Epoch of the newest snapshot.",
    Snapshot = "plimsoll_snapshot_seconds" Seconds [] "From a snapshot's begin to its end.",
    SnapshotPause = "plimsoll_snapshot_pause_seconds" Seconds [] "How long a snapshot held the writer up between two epochs.",
    SnapshotsGivenUp = "plimsoll_snapshots_given_up_total" Counter [] "Snapshots begun in vain: an epoch changed every account.",
    Recovery = "plimsoll_recovery_milliseconds" Gauge [] "Time of the recovery this process began with.",
    RecoveredEpochs = "plimsoll_recovered_epochs" Gauge [] "Epochs it recomputed.",
    Tier = "plimsoll_accounts" Gauge ["tier"] "Accounts by tier.",
    Unmarked = "plimsoll_unmarked_securities" Gauge [] "Listed securities without a mark.",
    Waiting = "plimsoll_waiting_bytes" Gauge [] "Bytes of submissions that wait for the writer.",
    Busy = "plimsoll_busy_total" Counter [] "Requests turned away because more waited than may.",
    Streams = "plimsoll_stream_clients" Gauge [] "Clients of the stream.",
    StreamsBehind = "plimsoll_stream_behind_total" Counter [] "Times a client fell so far behind that it was served from the log.",
    Requests = "plimsoll_http_requests_total" Counter ["status"] "Requests by status.",
    Memory = "plimsoll_memory_bytes" Gauge [] "Memory the process holds.",
    Processor = "plimsoll_processor_milliseconds" Gauge [] "Processor time of the process so far.",
    Request = "plimsoll_http_request_seconds" Seconds ["path"] "Time to an answer, by path.",
}

enum Family {
    Counter(IntCounterVec),
    Gauge(IntGaugeVec),
    Histogram(HistogramVec),
}

impl Family {
    /// Shows one without labels before it has a value: what is not there is no zero to whoever watches it.
    fn show(&self) {
        match self {
            Family::Counter(counter) => drop(counter.with_label_values::<&str>(&[])),
            Family::Gauge(gauge) => drop(gauge.with_label_values::<&str>(&[])),
            Family::Histogram(histogram) => drop(histogram.with_label_values::<&str>(&[])),
        }
    }
}

/// The metrics of a process.
pub struct Metrics {
    registry: Registry,
    families: Vec<Family>,
}

impl Metric {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::TABLE[self as usize].0
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        Self::TABLE[self as usize].1
    }

    fn family(self) -> prometheus::Result<Family> {
        let (name, kind, labels, help) = Self::TABLE[self as usize];
        let histogram = |buckets| {
            HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels).map(Family::Histogram)
        };
        match kind {
            Kind::Counter => IntCounterVec::new(Opts::new(name, help), labels).map(Family::Counter),
            Kind::Gauge => IntGaugeVec::new(Opts::new(name, help), labels).map(Family::Gauge),
            Kind::Seconds => histogram(prometheus::exponential_buckets(1e-4, 2.0, 20)?),
            Kind::Numbers => histogram(prometheus::exponential_buckets(1.0, 4.0, 11)?),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

impl Metrics {
    /// All metrics, at zero.
    ///
    /// # Panics
    /// Where the table above holds a name that Prometheus does not take.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let mut families = Vec::new();
        for &metric in Metric::ALL {
            let family = metric.family().expect("a name that Prometheus takes");
            let known = match &family {
                Family::Counter(counter) => registry.register(Box::new(counter.clone())),
                Family::Gauge(gauge) => registry.register(Box::new(gauge.clone())),
                Family::Histogram(histogram) => registry.register(Box::new(histogram.clone())),
            };
            known.expect("each name once");
            if Metric::TABLE[metric as usize].2.is_empty() {
                family.show();
            }
            families.push(family);
        }
        Metrics { registry, families }
    }

    /// Adds to a counter.
    pub fn add(&self, metric: Metric, labels: &[&str], by: u64) {
        if let Family::Counter(counter) = &self.families[metric as usize] {
            counter.with_label_values(labels).inc_by(by);
        }
    }

    /// Sets a gauge.
    pub fn set(&self, metric: Metric, labels: &[&str], value: i64) {
        if let Family::Gauge(gauge) = &self.families[metric as usize] {
            gauge.with_label_values(labels).set(value);
        }
    }

    /// Moves a gauge up or down.
    pub fn shift(&self, metric: Metric, by: i64) {
        if let Family::Gauge(gauge) = &self.families[metric as usize] {
            gauge.with_label_values::<&str>(&[]).add(by);
        }
    }

    /// Notes a value of a histogram.
    pub fn note(&self, metric: Metric, labels: &[&str], value: f64) {
        if let Family::Histogram(histogram) = &self.families[metric as usize] {
            histogram.with_label_values(labels).observe(value);
        }
    }

    /// Sets what the system says of the process.
    pub fn note_process(&self) {
        // Pages of 4 KiB, and ticks of 10 ms: what Linux counts in, on the machines this is built for.
        const PAGE_BYTES: i64 = 4096;
        const TICK_MS: i64 = 10;
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
        if let Some(pages) = number(read("/proc/self/statm").split(' ').nth(1)) {
            self.set(Metric::Memory, &[], pages * PAGE_BYTES);
        }
        // After the name in brackets, which may hold blanks; time as user, then as system.
        let stat = read("/proc/self/stat");
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11);
        if let Some((user, system)) = number(fields.next()).zip(number(fields.next())) {
            self.set(Metric::Processor, &[], (user + system) * TICK_MS);
        }
    }

    /// All of them as Prometheus reads them.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = Vec::new();
        // Into memory: the format has no other way to fail.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_of_its_kind_and_named_after_its_unit() {
        let metrics = Metrics::new();
        let begun = metrics.text();
        for &metric in Metric::ALL {
            let (_, kind, labels, help) = Metric::TABLE[metric as usize];
            let labels: Vec<&str> = labels.iter().map(|_| "x").collect();
            metrics.add(metric, &labels, 2);
            metrics.set(metric, &labels, 3);
            metrics.note(metric, &labels, 0.004);
            let name = metric.name();
            assert_eq!(kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert_eq!(kind == Kind::Seconds, name.ends_with("_seconds"), "{name}");
            assert!(help.ends_with('.'), "{name}");
            assert_eq!(
                labels.is_empty(),
                begun.contains(&format!("\n# TYPE {name} ")),
                "{name} at the start"
            );
        }
        let text = metrics.text();
        for &metric in Metric::ALL {
            let value = |suffix: &str, value: &str| {
                let begins = format!("{}{suffix}", metric.name());
                text.lines().any(|line| line.starts_with(&begins) && line.ends_with(&format!(" {value}")))
            };
            let shown = match metric.kind() {
                Kind::Counter => value("", "2"),
                Kind::Gauge => value("", "3"),
                Kind::Seconds | Kind::Numbers => value("_count", "1"),
            };
            assert!(shown, "{} is not shown", metric.name());
        }
        metrics.note_process();
        let value = |name: &str| {
            let text = metrics.text();
            let line =
                text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<i64>().ok());
            line.unwrap_or_else(|| panic!("no {name}"))
        };
        assert!(value("plimsoll_memory_bytes") > 100_000 && value("plimsoll_processor_milliseconds") >= 0);
    }
}
