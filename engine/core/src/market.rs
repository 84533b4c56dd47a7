//! What every account shares: securities, marks, indices, corporate actions, the calendar, the
//! policy and the tables in force (domain.md §5, §7).

use std::collections::BTreeMap;

use crate::actions::{ActionGroup, PendingAction};
use crate::input::{
    Code, CorporateAction, Exchange, IndexName, Phase, Quote, Refusal, SecurityName, SecurityRecord,
    SourceName, refusal,
};
use crate::num::{Bp, Date, Money, PRICE_BOUND, Time, clamp_i64, div_half_up};
use crate::policy::{Policy, SuspendedMark};
use crate::prices::Prices;
use crate::rules::{CapSubject, Rules};

/// A stored price and the date it was set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub price: Money,
    pub set: Date,
}

/// What quotes move of a security: small and side by side, as a snapshot runs through all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tape {
    pub last: Option<Stored>,
    pub previous: Option<Stored>,
    /// The first source that quoted it, and the time of its last accepted quote.
    pub first: Option<(SourceName, Time)>,
    /// Whether the mark may be another than the last or previous price: by hand, or suspended.
    pub special: bool,
}

/// One security but for its tape.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Security {
    pub record: SecurityRecord,
    pub manual: Option<Stored>,
    /// Date of the record that first said suspended, while it is.
    pub suspended_from: Option<Date>,
    /// Levels of all indices when the record became suspended.
    pub levels_then: Vec<Option<i64>>,
    /// Time of the last accepted quote of each source after the first.
    pub others: Vec<(SourceName, Time)>,
    /// Whether an `unmarked` alarm stands since the last mark, and how many there were.
    pub alarmed: bool,
    pub alarms: u32,
    /// Effective haircut of today (domain.md §7).
    pub haircut: Bp,
}

/// What moved a mark last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mover {
    Price,
    Manual,
    Record,
    Calendar,
    Policy,
}

/// A mark that moved within the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MarkMove {
    pub security: SecurityName,
    /// Mark at the start of the epoch, or just after a corporate action; `None` without one.
    pub before: Option<Money>,
    pub by: Mover,
    pub input: Option<u32>,
}

/// The market.
#[derive(Clone, Debug)]
pub struct Market {
    /// By security name; `None` until a record of that name is accepted.
    pub(crate) securities: Vec<Option<Box<Security>>>,
    /// Of the same securities.
    pub(crate) tapes: Vec<Option<Tape>>,
    /// Order of first acceptance.
    pub(crate) listed: Vec<SecurityName>,
    /// Marks by security name, 0 where there is none.
    pub(crate) marks: Vec<Money>,
    /// The same as the columns meet them; without meaning while there are giants.
    pub(crate) prices: Prices,
    /// Whether the mark is one.
    pub(crate) marked: Vec<bool>,
    pub(crate) levels: Vec<Option<i64>>,
    pub(crate) levelled: Vec<Vec<(SourceName, Time)>>,
    pub(crate) actions: BTreeMap<(Date, SecurityName), Vec<PendingAction>>,
    pub(crate) calendar: Option<Vec<Date>>,
    pub(crate) day_starts: Vec<Date>,
    pub(crate) last_day_end: Option<Date>,
    pub(crate) clock: Time,
    /// The later of the clock's date and the date of the last `day_start`.
    today: Date,
    pub(crate) policy: Policy,
    pub(crate) rules: Rules,
    /// Moves of this epoch, and where each security's stands (1-based, 0 for none).
    pub(crate) moves: Vec<MarkMove>,
    slots: Vec<u32>,
    /// Securities whose mark appeared or vanished in this epoch.
    pub(crate) appeared: bool,
    pub(crate) vanished: bool,
    /// Securities whose record says suspended.
    pub(crate) suspended: Vec<SecurityName>,
    /// Marks at or beyond the bound of a wire price (index-adjusted, consolidated): while there is
    /// one, no account may take the fast path.
    pub(crate) giants: u32,
}

impl Market {
    pub(crate) fn new(policy: Policy, rules: Rules) -> Self {
        Market {
            securities: Vec::new(),
            tapes: Vec::new(),
            listed: Vec::new(),
            marks: Vec::new(),
            prices: Prices::default(),
            marked: Vec::new(),
            levels: Vec::new(),
            levelled: Vec::new(),
            actions: BTreeMap::new(),
            calendar: None,
            day_starts: Vec::new(),
            last_day_end: None,
            clock: Time::MIN,
            today: Time::MIN.date(),
            policy,
            rules,
            moves: Vec::new(),
            slots: Vec::new(),
            appeared: false,
            vanished: false,
            suspended: Vec::new(),
            giants: 0,
        }
    }

    /// Recomputes, of a market that was loaded, what is not saved.
    pub(crate) fn restore(&mut self) {
        let n = self.securities.len();
        self.note_today();
        self.marks = vec![0; n];
        self.marked = vec![false; n];
        self.slots = vec![0; n];
        for k in 0..self.listed.len() {
            let name = self.listed[k];
            let alarmed = self.known(name).is_some_and(|s| s.alarmed);
            self.remark(name, Mover::Price, None);
            if let Some(security) = self.known_mut(name) {
                security.alarmed = alarmed;
            }
        }
        self.begin(self.clock);
    }

    pub(crate) fn today(&self) -> Date {
        self.today
    }

    fn note_today(&mut self) {
        let clock = self.clock.date();
        self.today = self.day_starts.last().map_or(clock, |&day| day.max(clock));
    }

    pub(crate) fn start_day(&mut self, day: Date) {
        self.day_starts.push(day);
        self.note_today();
    }

    /// The day through which every contract is accrued that was there then.
    pub(crate) fn accrued(&self) -> Date {
        let started = self.last_day_start().map(Date::previous);
        started.max(self.last_day_end).unwrap_or(Date(i32::MIN))
    }

    pub(crate) fn last_day_start(&self) -> Option<Date> {
        self.day_starts.last().copied()
    }

    /// The accepted security of a name.
    pub(crate) fn find(&self, name: Option<SecurityName>) -> Result<SecurityName, Refusal> {
        match name {
            Some(name) if self.known(name).is_some() => Ok(name),
            _ => Err(refusal(Code::UnknownSecurity, "no such security")),
        }
    }

    pub(crate) fn known(&self, name: SecurityName) -> Option<&Security> {
        self.securities.get(name.index()).and_then(|s| s.as_deref())
    }

    pub(crate) fn tape(&self, name: SecurityName) -> Option<&Tape> {
        self.tapes.get(name.index()).and_then(Option::as_ref)
    }

    fn known_mut(&mut self, name: SecurityName) -> Option<&mut Security> {
        self.securities.get_mut(name.index()).and_then(|s| s.as_deref_mut())
    }

    /// The mark of a security, where it has one.
    pub(crate) fn mark(&self, name: SecurityName) -> Option<Money> {
        let i = name.index();
        if *self.marked.get(i)? { Some(self.marks[i]) } else { None }
    }

    /// How the mark of a security moved in this epoch, if it did.
    pub(crate) fn moved(&self, name: SecurityName) -> Option<&MarkMove> {
        self.moves.get(self.slot(name)?)
    }

    fn slot(&self, name: SecurityName) -> Option<usize> {
        self.slots.get(name.index())?.checked_sub(1).map(|slot| slot as usize)
    }

    /// Effective haircut, 1/10 000.
    pub(crate) fn haircut(&self, name: SecurityName) -> Bp {
        self.known(name).map_or(0, |s| s.haircut)
    }

    /// Starts an epoch at a clock; what depends on the date alone is brought up to it.
    pub(crate) fn begin(&mut self, clock: Time) {
        if self.moves.len() > self.slots.len() / 8 {
            self.slots.fill(0);
        } else {
            self.moves.iter().for_each(|m| self.slots[m.security.index()] = 0);
        }
        self.moves.clear();
        self.appeared = false;
        self.vanished = false;
        let before = (self.clock.date(), self.today());
        self.clock = clock;
        self.note_today();
        if before.1 != self.today() {
            self.remark_suspended(Mover::Price, None);
        }
        if before.0 != clock.date() {
            self.refresh_haircuts();
        }
    }

    pub(crate) fn put_security(
        &mut self,
        record: &SecurityRecord,
        at: Time,
        input: u32,
    ) -> Result<(), Refusal> {
        if record.exchange == Exchange::Foreign {
            return Err(refusal(Code::Currency, "books are kept in yuan"));
        }
        let name = record.security;
        let i = name.index();
        if self.securities.len() <= i {
            self.securities.resize_with(i + 1, || None);
            self.tapes.resize(i + 1, None);
            self.marks.resize(i + 1, 0);
            self.marked.resize(i + 1, false);
            self.slots.resize(i + 1, 0);
        }
        let levels = &self.levels;
        match &mut self.securities[i] {
            Some(security) => {
                let was = security.record.suspended;
                security.record = record.clone();
                security.note_suspension(was, at, levels);
            }
            empty => {
                let mut security = Security::new(record.clone());
                security.note_suspension(false, at, levels);
                *empty = Some(Box::new(security));
                self.tapes[i] = Some(Tape::default());
                self.listed.push(name);
            }
        }
        self.note_special(name);
        self.suspended.retain(|&s| s != name);
        if record.suspended {
            self.suspended.push(name);
        }
        self.refresh_haircut(name);
        self.remark(name, Mover::Record, Some(input));
        Ok(())
    }

    /// Takes a quote in the documented order of refusals: stale, quarantined, unknown.
    pub(crate) fn put_quote(
        &mut self,
        q: &Quote,
        source: SourceName,
        at: Time,
        input: u32,
    ) -> Result<(), Refusal> {
        let set = self.today;
        let known = q.security.and_then(|name| Some((name, self.tapes.get_mut(name.index())?.as_mut()?)));
        if let Some((name, tape)) = &known {
            let last = match tape.first {
                Some((first, _)) if first != source => {
                    let others = self.securities[name.index()].iter().flat_map(|s| &s.others);
                    others.into_iter().find(|(other, _)| *other == source).map(|&(_, time)| time)
                }
                first => first.map(|(_, time)| time),
            };
            if last.is_some_and(|last| last > at) {
                return Err(refusal(Code::TimeBackwards, "older than the last quote of this source"));
            }
        }
        quarantine(q)?;
        let Some((name, tape)) = known else {
            return Err(refusal(Code::UnknownSecurity, "no such security"));
        };
        if q.prev_close != 0 {
            tape.previous = Some(Stored { price: Money::from(q.prev_close), set });
        }
        let indicative = matches!(
            q.phase,
            Phase::PreOpen | Phase::OpenAuction | Phase::AuctionNoCancel | Phase::CloseAuction
        );
        if let (Some(price), false) = (q.price, indicative) {
            tape.last = Some(Stored { price: Money::from(price), set });
        }
        let (market, special) = (tape.market_price(), tape.special);
        match &mut tape.first {
            Some((first, _)) if *first != source => {
                if let Some(security) = self.known_mut(name) {
                    note_time(&mut security.others, source, at);
                }
            }
            first => *first = Some((source, at)),
        }
        if special {
            self.remark(name, Mover::Price, Some(input));
        } else {
            self.set_mark(name, market, Mover::Price, Some(input));
        }
        Ok(())
    }

    pub(crate) fn put_index(
        &mut self,
        index: IndexName,
        level: i64,
        source: SourceName,
        at: Time,
        input: u32,
    ) -> Result<(), Refusal> {
        let i = index.index();
        if self.levels.len() <= i {
            self.levels.resize(i + 1, None);
            self.levelled.resize(i + 1, Vec::new());
        }
        if self.levelled[i].iter().any(|&(s, t)| s == source && t > at) {
            return Err(refusal(Code::TimeBackwards, "older than the last level of this source"));
        }
        note_time(&mut self.levelled[i], source, at);
        self.levels[i] = Some(level);
        self.remark_suspended(Mover::Price, Some(input));
        Ok(())
    }

    pub(crate) fn put_mark(
        &mut self,
        name: Option<SecurityName>,
        price: Option<Money>,
        input: u32,
    ) -> Result<(), Refusal> {
        let name = self.find(name)?;
        let set = self.today();
        if let Some(security) = self.known_mut(name) {
            security.manual = price.map(|price| Stored { price, set });
        }
        self.note_special(name);
        self.remark(name, Mover::Manual, Some(input));
        Ok(())
    }

    /// Keeps an action for its ex-date; gives it back where that day has started already.
    pub(crate) fn put_action(
        &mut self,
        action: &CorporateAction,
    ) -> Result<Option<(SecurityName, PendingAction)>, Refusal> {
        let name = self.find(action.security)?;
        let pending = PendingAction::of(action);
        if self.last_day_start().is_some_and(|day| day >= action.ex_date) {
            return Ok(Some((name, pending)));
        }
        self.actions.entry((action.ex_date, name)).or_default().push(pending);
        Ok(None)
    }

    /// Actions whose ex-date has come, by ex-date and security.
    pub(crate) fn actions_due(&mut self, day: Date) -> Vec<((Date, SecurityName), Vec<PendingAction>)> {
        let later = self.actions.split_off(&(Date(day.0 + 1), SecurityName(0)));
        std::mem::replace(&mut self.actions, later).into_iter().collect()
    }

    /// Moves the stored prices of a security over an ex-date and says what accounts need to know.
    pub(crate) fn apply_action(
        &mut self,
        name: SecurityName,
        ex_date: Date,
        actions: Vec<PendingAction>,
        input: u32,
    ) -> Option<ActionGroup> {
        let before = self.mark(name);
        let security = self.securities.get_mut(name.index())?.as_deref_mut()?;
        let tape = self.tapes.get_mut(name.index())?.as_mut()?;
        let old = |stored: Option<Stored>| stored.filter(|s| s.set < ex_date).map(|s| s.price);
        let reference = old(security.manual).or(old(tape.last)).or(old(tape.previous));
        let group = ActionGroup::new(name, actions, reference, input);
        for stored in [&mut security.manual, &mut tape.last, &mut tape.previous] {
            if let Some(s) = stored.as_mut().filter(|s| s.set < ex_date) {
                s.price = group.price_after(s.price);
            }
        }
        self.remark(name, Mover::Price, Some(input));
        let after = self.mark(name);
        // The accounts carry the action as a contribution of its own: by price, the security
        // starts the epoch at the adjusted mark.
        if let Some(slot) = self.slot(name) {
            self.moves[slot].before = after;
        }
        Some(group.with_marks(before, after))
    }

    /// `day_start`: the last trade becomes the previous close and is cleared.
    pub(crate) fn roll_prices(&mut self, input: u32) {
        for i in 0..self.tapes.len() {
            if let Some(tape) = &mut self.tapes[i] {
                if let Some(last) = tape.last.take() {
                    tape.previous = Some(last);
                }
                self.remark(SecurityName(i as u32), Mover::Price, Some(input));
            }
        }
    }

    pub(crate) fn remark_suspended(&mut self, by: Mover, input: Option<u32>) {
        for k in 0..self.suspended.len() {
            self.remark(self.suspended[k], by, input);
        }
    }

    fn remark(&mut self, name: SecurityName, by: Mover, input: Option<u32>) {
        self.set_mark(name, self.marking_price(name), by, input);
    }

    /// Sets one mark and remembers where it stood at the start of the epoch.
    fn set_mark(&mut self, name: SecurityName, new: Option<Money>, by: Mover, input: Option<u32>) {
        let i = name.index();
        let old = self.mark(name);
        if new == old {
            return;
        }
        match self.slot(name) {
            Some(slot) => {
                let m = &mut self.moves[slot];
                m.by = by;
                m.input = input;
            }
            None => {
                self.moves.push(MarkMove { security: name, before: old, by, input });
                self.slots[i] = self.moves.len() as u32;
            }
        }
        let mark = new.unwrap_or(0);
        self.marks[i] = mark;
        self.prices.set(name, u32::try_from(mark).unwrap_or(u32::MAX));
        if let (Some(old), Some(new)) = (old, new)
            && old.max(new) < PRICE_BOUND
        {
            return;
        }
        let giant = |mark: Option<Money>| u32::from(mark.is_some_and(|m| m >= PRICE_BOUND));
        self.giants = self.giants - giant(old) + giant(new);
        self.marked[i] = new.is_some();
        match (old, new) {
            (None, Some(_)) => {
                self.appeared = true;
                if let Some(security) = self.known_mut(name) {
                    security.alarmed = false;
                }
            }
            (Some(_), None) => self.vanished = true,
            _ => {}
        }
    }

    /// Lays a mark that no input gave, in a copy of the market that answers a question.
    pub(crate) fn remark_as(&mut self, name: SecurityName, mark: Money) {
        let i = name.index();
        let giant = |mark: Money| u32::from(mark >= PRICE_BOUND);
        self.giants = self.giants - giant(self.marks[i]) + giant(mark);
        self.marks[i] = mark;
        self.prices.set(name, u32::try_from(mark).unwrap_or(u32::MAX));
    }

    /// The marking price, in the order of domain.md §5.1.
    fn marking_price(&self, name: SecurityName) -> Option<Money> {
        let tape = self.tape(name)?;
        if tape.special {
            self.special_price(self.known(name)?, tape.market_price())
        } else {
            tape.market_price()
        }
    }

    fn special_price(&self, security: &Security, market: Option<Money>) -> Option<Money> {
        if let Some(manual) = security.manual {
            return Some(manual.price);
        }
        let market = market?;
        if !security.record.suspended
            || self.policy.suspended == SuspendedMark::Last
            || !self.long_suspended(security)
        {
            return Some(market);
        }
        if self.policy.suspended == SuspendedMark::Zero {
            return Some(0);
        }
        for index in &security.record.indices {
            let then = security.levels_then.get(index.index()).copied().flatten();
            let now = self.levels.get(index.index()).copied().flatten();
            if let (Some(then), Some(now)) = (then.filter(|&l| l > 0), now) {
                let price = i128::from(market) * i128::from(now);
                return Some(clamp_i64(div_half_up(price, i128::from(then))));
            }
        }
        Some(market)
    }

    /// Whether more than `suspended_days` trading days lie from the suspension to today.
    fn long_suspended(&self, security: &Security) -> bool {
        let from = security.record.suspended_since.or(security.suspended_from);
        from.is_some_and(|from| self.trading_days(from, self.today()) > i64::from(self.policy.suspended_days))
    }

    /// Trading days from a date to another, both included: the calendar's; without one the dates
    /// of the `day_start` events, before the first of those Monday to Friday.
    fn trading_days(&self, from: Date, to: Date) -> i64 {
        if to < from {
            return 0;
        }
        let within =
            |days: &[Date]| (days.partition_point(|&d| d <= to) - days.partition_point(|&d| d < from)) as i64;
        if let Some(calendar) = &self.calendar {
            return within(calendar);
        }
        match self.day_starts.first() {
            Some(&first) if first <= to => {
                let weekdays = if from < first { weekdays(from, first.previous()) } else { 0 };
                weekdays + within(&self.day_starts)
            }
            _ => weekdays(from, to),
        }
    }

    /// To be called when a record or a manual mark of the security changed.
    fn note_special(&mut self, name: SecurityName) {
        let special = self.known(name).is_some_and(Security::is_special);
        if let Some(Some(tape)) = self.tapes.get_mut(name.index()) {
            tape.special = special;
        }
    }

    pub(crate) fn refresh_haircuts(&mut self) {
        for k in 0..self.listed.len() {
            self.refresh_haircut(self.listed[k]);
        }
    }

    fn refresh_haircut(&mut self, name: SecurityName) {
        let date = self.clock.date();
        let Some(security) = self.securities[name.index()].as_deref_mut() else { return };
        let record = &security.record;
        security.haircut = if record.collateral {
            let subject = CapSubject {
                class: record.class,
                bse: record.board == crate::input::Board::Bse,
                indices: &record.indices,
                flagged: record.risk_warning || record.delisting,
                pe_static: record.pe_static,
            };
            record.haircut.min(self.rules.cap(&subject, date))
        } else {
            0
        };
    }
}

impl Tape {
    fn market_price(&self) -> Option<Money> {
        self.last.or(self.previous).map(|stored| stored.price)
    }
}

impl Security {
    fn new(record: SecurityRecord) -> Self {
        Security {
            record,
            manual: None,
            suspended_from: None,
            levels_then: Vec::new(),
            others: Vec::new(),
            alarmed: false,
            alarms: 0,
            haircut: 0,
        }
    }

    /// See [`Tape::special`].
    pub(crate) fn is_special(&self) -> bool {
        self.record.suspended || self.manual.is_some()
    }

    /// Notes since when the record says suspended, and the index levels at that moment.
    fn note_suspension(&mut self, was: bool, at: Time, levels: &[Option<i64>]) {
        if !self.record.suspended {
            self.suspended_from = None;
            self.levels_then.clear();
            return;
        }
        if !was {
            self.suspended_from = Some(at.date());
            self.levels_then = levels.to_vec();
        }
    }
}

/// A quote that marks nothing (events.md, "Refused quotes").
fn quarantine(q: &Quote) -> Result<(), Refusal> {
    let refused = |detail| Err(refusal(Code::Quarantined, detail));
    if let Some(price) = q.price {
        if price == 0 {
            return refused("price is not above zero");
        }
        if q.limit_up != 0 && price > q.limit_up || q.limit_down != 0 && price < q.limit_down {
            return refused("price outside the day's limits");
        }
    }
    if q.phase == Phase::Continuous && q.bid1 != 0 && q.ask1 != 0 && q.bid1 > q.ask1 {
        return refused("crossed book in continuous trading");
    }
    Ok(())
}

fn note_time(seen: &mut Vec<(SourceName, Time)>, source: SourceName, at: Time) {
    match seen.iter_mut().find(|(s, _)| *s == source) {
        Some(entry) => entry.1 = at,
        None => seen.push((source, at)),
    }
}

/// Mondays to Fridays from a date to another, both included.
fn weekdays(from: Date, to: Date) -> i64 {
    // Counted from a Monday: 1970-01-05.
    let until = |day: i32| {
        let n = i64::from(day) - 4 + 1;
        n.div_euclid(7) * 5 + n.rem_euclid(7).min(5)
    };
    (until(to.0) - until(from.0 - 1)).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_are_counted_like_by_hand() {
        for from in -30..30 {
            for to in from..from + 40 {
                let by_hand = (from..=to).filter(|&d| Date(d).is_weekday()).count() as i64;
                assert_eq!(weekdays(Date(from), Date(to)), by_hand, "{from}..={to}");
            }
        }
    }
}
