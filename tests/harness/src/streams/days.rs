//! Days: their starts and ends, jumps over weekends and holidays, calendars, and what is laid out so that the
//! settlement itself moves a tier.

use super::json::{Object, Value, text};
use super::stream::Generator;
use super::time::{DAY, SECOND, date_of, date_text, day_of, instant, weekday};

const HOUR: i64 = 3600 * SECOND;

impl Generator {
    /// Ends the day, mostly, and begins another one.
    pub fn next_day(&mut self) {
        if self.started.is_none() && self.rng.chance(500) {
            self.day_start();
            return;
        }
        if self.swarm.drill && self.rng.chance(800) {
            self.drill();
        } else {
            if self.rng.chance(self.swarm.settlement) {
                self.lay_settlement();
            }
            if self.rng.chance(930) {
                self.day_end();
            }
        }
        self.jump();
        if self.rng.chance(40) {
            self.clock();
        }
        if self.rng.chance(930) {
            self.day_start();
        }
    }

    fn jump(&mut self) {
        let step = match self.rng.below(40) {
            0 => 9,
            1 => 31,
            2 => 200,
            3 => 1,
            _ if weekday(self.day) >= 4 => 7 - weekday(self.day),
            _ => 1,
        };
        self.day += step;
        let of_day = 8 * HOUR + self.rng.range(0, HOUR);
        self.now = self.now.max(instant(self.day, of_day));
        if self.day == day_of(2023, 9, 8) && self.rng.chance(500) {
            self.now = instant(self.day, 15 * HOUR) + *self.rng.pick(&[-1, 0, 1]);
        }
    }

    /// Lets time pass, by hours or by years.
    pub fn clock(&mut self) {
        let jump = match self.rng.below(12) {
            0 => self.rng.range(371, 900) * DAY,
            1 => 20 * HOUR,
            _ => self.rng.range(1, HOUR),
        };
        self.now += jump;
        self.send_object("clock", Object::default());
        self.day = self.day.max(date_of(self.now));
    }

    /// Starts the day.
    pub fn day_start(&mut self) {
        let day = self.day;
        if self.send("day_start", [("date", text(date_text(day)))]).is_none() {
            return;
        }
        if self.started.is_some_and(|d| d >= day) || self.ended.is_some_and(|d| d >= day) {
            return;
        }
        self.started = Some(day);
        self.accrue(day - 1);
        let (due, waiting) = std::mem::take(&mut self.pending).into_iter().partition(|a| a.ex_date <= day);
        self.pending = waiting;
        let due: Vec<super::stream::Pending> = due;
        for action in &due {
            self.take_action(action);
        }
        for security in &mut self.securities {
            security.prev = security.last.take().or(security.prev);
        }
    }

    /// Ends the day.
    pub fn day_end(&mut self) {
        let close = instant(self.day, 15 * HOUR + HOUR / 2);
        self.now = self.now.max(close);
        let day = self.day;
        if self.send("day_end", [("date", text(date_text(day)))]).is_none() {
            return;
        }
        if self.ended.is_some_and(|d| d >= day) || self.started.is_some_and(|d| d > day) {
            return;
        }
        self.ended = Some(day);
        self.accrue(day);
        for account in &mut self.accounts {
            account.orders.clear();
        }
    }

    fn accrue(&mut self, through: i64) {
        let days = through - self.accrued_through;
        if days <= 0 {
            return;
        }
        self.accrued_through = through;
        let base = 100_000_000 * i128::from(self.year_days);
        for contract in self.accounts.iter_mut().flat_map(|a| a.contracts.iter_mut()) {
            let daily = (contract.amount * i128::from(contract.rate) * 2 + base) / (2 * base);
            let days = i128::from(days.min(through - contract.opened + 1).max(0));
            contract.interest += daily * days;
        }
    }

    /// Puts accounts where the day's interest, or the end of the recovery band, decides their tier.
    fn lay_settlement(&mut self) {
        for _ in 0..2 + self.rng.below(10) {
            let Some(account) = self.some_account() else {
                return;
            };
            let line = *self.rng.pick(&[18_000, 15_000, 13_000, 11_500, 10_000]);
            if self.rng.chance(500) {
                // Above the line by less than a day's interest.
                self.balance_near(account, line, true, None);
                continue;
            }
            // Below the line, then into its band: only the settlement lets it out.
            if self.balance_near(account, line, false, None).is_none() {
                continue;
            }
            self.now += 1;
            let Some(figures) = self.accounts[account].figures(&self.securities) else {
                continue;
            };
            let within = figures.debts * i128::from(self.rng.range(20, 150)) / 10_000;
            if within > 10 {
                self.bring_cash(account, within);
            }
            self.now += 1;
        }
    }

    /// Shorts of a suspended security that fall to nothing when the days allowed run out at a day's end.
    fn drill(&mut self) {
        let Some(security) = self.some_security() else {
            return;
        };
        let day = self.day;
        self.plain_calendar();
        self.plain_record(security, None);
        let price = 100 * self.rng.range(100, 2000);
        self.quote_at(security, price);
        self.zeroing_policy();
        self.now += 1;
        for account in 0..self.accounts.len() {
            if self.accounts[account].known && self.rng.chance(700) {
                let line = *self.rng.pick(&[17_000, 14_000, 12_000, 11_000, 9000]);
                self.balance_near(account, line, false, Some(security));
            }
        }
        self.now += 1;
        self.plain_record(security, Some(day));
        // The next trading day is the first on which the suspension is too long, and the clock is there already.
        let mut next = day + 1;
        while weekday(next) >= 5 {
            next += 1;
        }
        self.now = self.now.max(instant(next, HOUR));
        self.day_end();
        if self.rng.chance(700) {
            self.now += 1;
            self.plain_record(security, None);
        }
    }

    fn plain_calendar(&mut self) {
        let days = (-40..60).map(|n| self.day + n).filter(|d| weekday(*d) < 5);
        let dates: Vec<Value> = days.map(|d| text(date_text(d))).collect();
        self.send_calendar(dates);
    }

    /// Trading days around the present, with holidays.
    pub fn calendar(&mut self) {
        let mut dates = Vec::new();
        for day in self.day - 60..self.day + 60 {
            if weekday(day) < 5 && !self.rng.chance(60) {
                dates.push(text(date_text(day)));
            }
        }
        self.send_calendar(dates);
    }

    fn send_calendar(&mut self, dates: Vec<Value>) {
        self.versions += 1;
        let version = text(format!("c{}", self.versions));
        let mut body = Object::from([("version", version), ("dates", Value::List(dates))]);
        if self.rng.chance(150) {
            let columns = [
                ("valid_from", "2010-03-31"),
                ("valid_to", ""),
                ("board", "any"),
                ("phase", "continuous"),
                ("start", "09:30"),
                ("end", "11:30"),
                ("accepts_orders", "yes"),
                ("accepts_cancels", "yes"),
                ("matching", "continuous"),
                ("note", ""),
                ("source", "exchange"),
            ];
            let row = Object::from(columns.map(|(k, v)| (k, text(v))));
            body.set("sessions", Value::List(vec![Value::Object(row)]));
        }
        self.send_object("calendar", body);
    }
}
