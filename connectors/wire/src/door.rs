//! The door: records in, epochs out. Reads envelopes, decodes, gives ordinals and cuts.
//!
//! The cut needs no state of the core, only the lines themselves (events.md, "Epoch").

use crate::alike::Alike;
use crate::decode::{decode, fact_of, quote};
use crate::envelope::{Envelope, Number};
use crate::fields::Type;
use crate::json::{self, NotAnEvent};
use crate::names::Names;
use crate::quotes::{GoodQuote, Quotes};
use crate::read::Refused;
use crate::value::{Columns, Fields, Value};
use hashbrown::HashSet;
use plimsoll_engine::input::{Body, Code, Entry, Epoch, IndexName, Input, SecurityName, SourceName};
use plimsoll_engine::num::Time;
use plimsoll_engine::rules::Rules;

/// An epoch with this many lines is cut before the next readable event.
pub const MAX_LINES: usize = 65_536;

/// An event of a replay may be this much later than the clock.
pub const MAX_AHEAD_US: i64 = 370 * 86_400_000_000;

/// An event of a live run may be this much later than the clock of its epoch.
pub const MAX_AHEAD_LIVE_US: i64 = 60_000_000;

/// A finished epoch, with the words for people of what was refused at the door.
#[derive(Clone, Debug, PartialEq)]
pub struct CutEpoch {
    /// The epoch.
    pub epoch: Epoch,
    /// Details of refusals at the door, by entry.
    pub details: Vec<(u32, String)>,
}

/// Reads records and cuts them into epochs.
#[derive(Debug)]
pub struct Door {
    names: Names,
    rules: Rules,
    open: CutEpoch,
    /// The instant of the open epoch's readable events; `None` while it has none.
    instant: Option<Time>,
    /// Whether the open epoch's event stands alone.
    alone: bool,
    /// Whether the open epoch holds a malformed event, whose time is still to be set.
    malformed: bool,
    /// The latest `at` of all readable events; the clock of the open epoch in a live run.
    clock: Option<Time>,
    /// Epochs have the clock they are given and are cut by their limits alone.
    live: bool,
    quoted: Quoted,
    order: Order,
    /// The source of the event before.
    source: SourceName,
    /// A parsed line's buffer between lines.
    fields: Fields<'static>,
    /// How quotes are laid out.
    alike: Alike,
    spare: Option<CutEpoch>,
}

impl Default for Door {
    fn default() -> Self {
        Door::new()
    }
}

impl Door {
    /// A door before the first line, with the tables the product carries.
    #[must_use]
    pub fn new() -> Self {
        let mut names = Names::default();
        let rules = crate::rules::defaults(&mut names.indices);
        Door {
            names,
            rules,
            open: CutEpoch { epoch: Epoch::new(1, Time(0)), details: Vec::new() },
            instant: None,
            alone: false,
            malformed: false,
            clock: None,
            live: false,
            quoted: Quoted::default(),
            order: Order::default(),
            source: SourceName(0),
            fields: Fields::new(),
            alike: Alike::default(),
            spare: None,
        }
    }

    /// A door that goes on with the names of another.
    #[must_use]
    pub fn with_names(names: Names) -> Self {
        Door { names, ..Door::new() }
    }

    /// A door of a live run, before the epoch of a number: epochs have the clock they are given and are
    /// cut by their limits, or by whoever [finishes](Door::finish) them.
    #[must_use]
    pub fn live(names: Names, number: u64, clock: Time) -> Self {
        let mut door = Door { live: true, clock: Some(clock), ..Door::with_names(names) };
        door.open.epoch.number = number;
        door
    }

    /// Gives the clock of the epoch that is about to be opened, never before the last one's; one that
    /// holds something keeps its own, and so does the one it is cut by.
    pub fn begin(&mut self, now: Time) {
        if self.open.epoch.entries.is_empty() {
            self.clock = self.clock.max(Some(now));
        }
    }

    /// How many events the open epoch holds.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.open.epoch.entries.len()
    }

    /// The names given so far.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Works with a door of a replay that knows the same names; those it learns are forgotten.
    pub fn aside<T>(&mut self, work: impl FnOnce(&mut Door) -> T) -> T {
        self.names.lend(|names| {
            let mut door = Door::with_names(names);
            let answer = work(&mut door);
            (door.names, answer)
        })
    }

    /// The tables the product carries, in this door's ordinals.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Takes one line of NDJSON; gives the epoch that it ends, if it ends one.
    ///
    /// # Errors
    /// [`NotAnEvent`] where the line is no JSON object; nothing has changed then.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<CutEpoch>, NotAnEvent> {
        let mut alike = std::mem::take(&mut self.alike);
        let taken = alike.quote(line).and_then(|quote| self.admit_quote(&quote));
        let taken = taken.map_or_else(|| self.line_of_any_layout(line, &mut alike), Ok);
        self.alike = alike;
        taken
    }

    fn line_of_any_layout(&mut self, line: &[u8], alike: &mut Alike) -> Result<Option<CutEpoch>, NotAnEvent> {
        let mut fields = reborrow(std::mem::take(&mut self.fields));
        let read = json::parse(line, &mut fields);
        let cut = read.map(|repeated| self.admit(&fields, repeated));
        let last = self.open.epoch.entries.last();
        if let (Ok(_), Some(Body::Input(Input::Quote(_)))) = (&cut, last.map(|entry| &entry.body)) {
            alike.learn(line, &fields);
        }
        self.fields = reborrow(fields);
        cut
    }

    /// Takes one record of a table; gives the epoch that it ends, if it ends one.
    pub fn record(&mut self, fields: &Fields<'_>) -> Option<CutEpoch> {
        self.admit(fields, false)
    }

    /// Takes a row of a table; gives the epoch that it ends, if it ends one.
    pub fn row(&mut self, table: &mut impl Columns, quotes: &mut Quotes, row: usize) -> Option<CutEpoch> {
        let taken = quotes.row(table, row).and_then(|quote| self.admit_quote(&quote));
        taken.unwrap_or_else(|| self.record(table.record(row)))
    }

    /// Ends the open epoch, if it holds anything.
    pub fn finish(&mut self) -> Option<CutEpoch> {
        if self.open.epoch.entries.is_empty() { None } else { Some(self.cut()) }
    }

    /// Takes back a finished epoch for its buffers.
    pub fn recycle(&mut self, cut: CutEpoch) {
        self.spare = Some(cut);
    }

    fn admit(&mut self, fields: &Fields<'_>, repeated: bool) -> Option<CutEpoch> {
        let envelope = Envelope::read(fields, repeated);
        let (Some(kind), Some(at), None) = (envelope.kind, envelope.at, envelope.flaw()) else {
            self.refuse_malformed(&envelope, envelope.flaw().unwrap_or_default());
            return None;
        };
        if repeated {
            self.refuse_malformed(&envelope, "a key comes twice in an object");
            return None;
        }
        if self.is_ahead(at) && (self.live || kind != "clock") {
            let what = if self.live {
                "at is more than a minute after the clock"
            } else {
                "at is more than 370 days after the clock"
            };
            self.refuse_malformed(&envelope, what);
            return None;
        }
        let decoded = if envelope.ours == Some(true) {
            decode(&mut self.names, &envelope, fields)
        } else {
            Err(Refused { code: Code::Version, detail: "v is not 1".into() })
        };
        let quoted = self.quoted.target(&self.names, kind, decoded.as_ref().ok(), fields);
        let alone = matches!(kind, "day_start" | "day_end" | "policy" | "rules" | "calendar");
        let cut = self.turn(at, alone, quoted);
        self.enter(&envelope, kind, at, decoded, fields);
        cut
    }

    /// Takes a row that its table's columns say is a good quote; `None` where it must go the way
    /// of all records, and nothing has changed then.
    fn admit_quote(&mut self, good: &GoodQuote<'_>) -> Option<Option<CutEpoch>> {
        let at = good.row.at;
        if self.is_ahead(at) || !self.quoted.unknown.is_empty() {
            return None;
        }
        let security = self.order.find(&self.names, good.security)?;
        let body = Body::Input(Input::Quote(quote(Some(security), |field| good.row.get(field))));
        let cut = self.turn(at, false, Target::Security(security));
        self.push(Some(good.source), good.id, good.row.number, at, false, body);
        Some(cut)
    }

    /// Whether a time is too far beyond the clock.
    fn is_ahead(&self, at: Time) -> bool {
        let most = if self.live { MAX_AHEAD_LIVE_US } else { MAX_AHEAD_US };
        self.clock.is_some_and(|clock| at.0 > clock.0 + most)
    }

    /// Moves on to a readable event; gives the epoch that it ends, if it ends one.
    fn turn(&mut self, at: Time, alone: bool, quoted: Target<'_>) -> Option<CutEpoch> {
        let cut = self.ends_before(at, alone, quoted).then(|| self.cut());
        self.quoted.note(quoted);
        self.instant = Some(at);
        self.alone = alone;
        if !self.live {
            self.clock = self.clock.max(Some(at));
        }
        cut
    }

    /// Whether the open epoch ends before this readable event.
    fn ends_before(&self, at: Time, alone: bool, quoted: Target<'_>) -> bool {
        let lines = self.open.epoch.entries.len();
        let differs = self.instant.is_some_and(|instant| {
            !self.live && instant != at || alone || self.alone || self.quoted.names(quoted)
        });
        differs || lines >= MAX_LINES
    }

    fn enter(
        &mut self,
        envelope: &Envelope<'_>,
        kind: &str,
        at: Time,
        decoded: Result<Input, Refused>,
        fields: &Fields<'_>,
    ) {
        let body = match decoded {
            Ok(input) => Body::Input(input),
            Err(refused) => {
                let fact = refused.code != Code::Version;
                let fact_of = fact.then(|| fact_of(&self.names, envelope, fields)).flatten();
                self.open.details.push((self.open.epoch.entries.len() as u32, refused.detail));
                Body::Refused { code: refused.code, fact_of }
            }
        };
        let identified = !matches!(kind, "quote" | "index");
        let id = envelope.id.unwrap_or_default();
        self.push(envelope.source, id, envelope.number, at, identified, body);
    }

    #[cold]
    fn refuse_malformed(&mut self, envelope: &Envelope<'_>, what: &str) {
        self.open.details.push((self.open.epoch.entries.len() as u32, what.to_owned()));
        self.malformed = true;
        let body = Body::Refused { code: Code::Malformed, fact_of: None };
        let id = envelope.id.unwrap_or_default();
        self.push(envelope.source, id, Number::Absent, Time(0), true, body);
    }

    fn push(
        &mut self,
        source: Option<&str>,
        id: &str,
        number: Number,
        at: Time,
        identified: bool,
        body: Body,
    ) {
        let Door { names, open: CutEpoch { epoch, .. }, source: last, .. } = self;
        let source = source.map(|source| {
            // Most events come from the source of the one before.
            if !names.sources.is(last.0, source) {
                *last = SourceName(names.sources.intern(source));
            }
            *last
        });
        let source_seq = match number {
            Number::Given(number) => Some(number),
            Number::Absent | Number::Bad => None,
        };
        let start = epoch.text.len();
        epoch.text.extend_from_slice(id.as_bytes());
        let place = (start as u32, id.len() as u32);
        assert!(u32::try_from(epoch.text.len()).is_ok(), "the ids of an epoch exceed 4 GiB");
        epoch.entries.push(Entry { source, id: place, source_seq, at, identified, body });
    }

    /// Ends the open epoch and opens the next.
    fn cut(&mut self) -> CutEpoch {
        let epoch = &mut self.open.epoch;
        // An epoch of nothing readable has no time of its own; the next may not lie before it.
        epoch.clock = *self.clock.get_or_insert(Time(0));
        if self.malformed {
            for entry in &mut epoch.entries {
                if matches!(entry.body, Body::Refused { code: Code::Malformed, .. }) {
                    entry.at = epoch.clock;
                }
            }
        }
        let next = epoch.number + 1;
        let clock = epoch.clock;
        let mut open = self
            .spare
            .take()
            .unwrap_or_else(|| CutEpoch { epoch: Epoch::new(next, clock), details: Vec::new() });
        open.epoch.number = next;
        open.epoch.entries.clear();
        open.epoch.text.clear();
        open.details.clear();
        self.instant = None;
        self.alone = false;
        self.malformed = false;
        self.quoted.clear();
        std::mem::replace(&mut self.open, open)
    }
}

/// Gives a buffer of records another lifetime; its elements are dropped, its memory is kept.
fn reborrow<'b>(mut fields: Fields<'_>) -> Fields<'b> {
    fields.clear();
    fields.into_iter().map(|_| unreachable!("the buffer is empty")).collect()
}

/// The order in which quotes name securities: a feed keeps to its own, so that the security of a
/// quote is mostly the one that followed the last time.
#[derive(Debug, Default)]
struct Order {
    last: usize,
    /// By security, the ordinal of the one that followed.
    followers: Vec<u32>,
}

impl Order {
    fn find(&mut self, names: &Names, code: &str) -> Option<SecurityName> {
        let follower = self.followers.get(self.last).copied();
        let found = match follower.filter(|&ordinal| names.securities.is(ordinal, code)) {
            Some(ordinal) => SecurityName(ordinal),
            None => self.learn(names, code)?,
        };
        self.last = found.index();
        Some(found)
    }

    #[cold]
    fn learn(&mut self, names: &Names, code: &str) -> Option<SecurityName> {
        let found = names.find_security(code)?;
        if self.followers.len() <= self.last {
            self.followers.resize(names.securities.len(), found.0);
        }
        self.followers[self.last] = found.0;
        Some(found)
    }
}

/// What a `quote` or `index` event names.
#[derive(Clone, Copy)]
enum Target<'v> {
    /// The event is another, or names nothing that could be named.
    Nothing,
    Security(SecurityName),
    Index(IndexName),
    /// A name without an ordinal, with the type of its event.
    Unknown(bool, &'v str),
}

/// The securities and indices that the open epoch's events name, known or not.
#[derive(Debug, Default)]
struct Quoted {
    /// Counts epochs; a mark of another count is none.
    count: u64,
    securities: Vec<u64>,
    indices: Vec<u64>,
    /// Names without an ordinal when they came; whether of a quote.
    unknown: HashSet<(bool, Box<str>), foldhash::fast::FixedState>,
}

impl Quoted {
    fn target<'v>(
        &self,
        names: &Names,
        kind: &str,
        input: Option<&Input>,
        fields: &'v Fields<'_>,
    ) -> Target<'v> {
        match input {
            // A name that came before its `security` event stands among the unknown ones.
            Some(Input::Quote(quote)) if self.unknown.is_empty() && quote.security.is_some() => {
                return quote.security.map_or(Target::Nothing, Target::Security);
            }
            Some(Input::Index(index, _)) if self.unknown.is_empty() => return Target::Index(*index),
            _ => {}
        }
        let quote = match Type::parse(kind) {
            Some(Type::Quote) => true,
            Some(Type::Index) => false,
            _ => return Target::Nothing,
        };
        let field = if quote { "security" } else { "index" };
        let Some((_, Value::Text(name))) = fields.iter().find(|(name, _)| name == field) else {
            return Target::Nothing;
        };
        if self.unknown.contains(&(quote, name.as_ref().into())) {
            return Target::Unknown(quote, name);
        }
        let known = if quote {
            names.find_security(name).map(Target::Security)
        } else {
            names.indices.find(name).map(|index| Target::Index(IndexName(index)))
        };
        known.unwrap_or(Target::Unknown(quote, name))
    }

    /// Whether an event of the open epoch has named it.
    fn names(&self, target: Target<'_>) -> bool {
        // Marks start at 0, so the count that stands for "this epoch" is one more.
        let marked = |marks: &[u64], at: usize| marks.get(at) == Some(&(self.count + 1));
        match target {
            Target::Nothing => false,
            Target::Security(name) => marked(&self.securities, name.index()),
            Target::Index(name) => marked(&self.indices, name.index()),
            Target::Unknown(quote, name) => self.unknown.contains(&(quote, name.into())),
        }
    }

    fn note(&mut self, target: Target<'_>) {
        let mark = self.count + 1;
        let set = |marks: &mut Vec<u64>, at: usize| {
            if marks.len() <= at {
                marks.resize(at + 1, 0);
            }
            marks[at] = mark;
        };
        match target {
            Target::Nothing => {}
            Target::Security(name) => set(&mut self.securities, name.index()),
            Target::Index(name) => set(&mut self.indices, name.index()),
            Target::Unknown(quote, name) => {
                self.unknown.insert((quote, name.into()));
            }
        }
    }

    fn clear(&mut self) {
        self.count += 1;
        if !self.unknown.is_empty() {
            self.unknown.clear();
        }
    }
}

#[cfg(test)]
mod tests;
