//! Market events: records, quotes, indices, manual marks and corporate actions.

use super::books::{MAX_PRICE, Security};
use super::json::{Object, Value, money, rate, text};
use super::stream::{Generator, Pending};
use super::time::{DAY, SECOND, date_text};

/// Code prefix and width, exchange, class and board of what trades.
const SHAPES: [(u32, &str, &str, &str); 14] = [
    (600_100, "SH", "a_share", "main"),
    (688_100, "SH", "a_share", "star"),
    (300_100, "SZ", "a_share", "chinext"),
    (830_100, "BJ", "a_share", "bse"),
    (100, "SZ", "a_share", "main"),
    (510_100, "SH", "etf", "main"),
    (689_100, "SH", "depositary_receipt", "star"),
    (301_100, "SZ", "depositary_receipt", "chinext"),
    (19_100, "SH", "treasury", "main"),
    (110_100, "SH", "convertible", "main"),
    (501_100, "SH", "fund", "main"),
    (511_100, "SH", "money_fund", "main"),
    (508_100, "SH", "reit", "main"),
    (122_100, "SH", "bond", "main"),
];
const ODD_CLASSES: [&str; 2] = ["warrant", "other"];
const INDICES: [&str; 7] = ["SSE180", "SZSE100", "BSE50", "CSI300", "SSE50", "沪深300", "IDX"];
const PHASES: [&str; 10] = [
    "pre_open",
    "open_auction",
    "auction_no_cancel",
    "continuous",
    "break",
    "close_auction",
    "closed",
    "after_hours",
    "suspended",
    "halted",
];

impl Generator {
    /// The securities of the stream, most of them with a record and a price.
    pub fn found_market(&mut self) {
        if self.rng.chance(300) {
            self.calendar();
        }
        for index in 0..self.swarm.securities {
            let shape = if self.rng.chance(750) { self.rng.below(4) } else { self.rng.below(14) };
            let (first, exchange, class, board) = SHAPES[shape];
            let class = if self.rng.chance(30) { *self.rng.pick(&ODD_CLASSES) } else { class };
            let ceiling = *self.rng.pick(&[200_000, 200_000, 1_000_000, 30_000_000, MAX_PRICE - 1]);
            self.securities.push(Security {
                code: format!("{:06}.{exchange}", first + index as u32),
                class,
                board,
                known: false,
                suspended: false,
                manual: None,
                last: None,
                prev: None,
                quoted_at: None,
                ceiling,
            });
        }
        for index in 0..self.securities.len() {
            if self.swarm.priced || self.rng.chance(500) {
                self.record(index);
                if self.rng.chance(900) {
                    let price = self.any_price(index);
                    self.quote_at(index, price);
                }
            }
        }
    }

    /// A haircut or ratio that likes the caps and the edges.
    fn some_rate(&mut self, edges: &[i64]) -> Value {
        let units = if self.rng.chance(600) { *self.rng.pick(edges) } else { self.rng.range(0, 10_000) };
        Value::Dec(i128::from(units), 4)
    }

    fn record(&mut self, index: usize) {
        let body = self.record_body(index, false);
        self.send_record(index, body);
    }

    fn send_record(&mut self, index: usize, body: Object) {
        let suspended = matches!(body.get("suspended"), Some(Value::Bool(true)));
        if self.send_object("security", body).is_some() {
            self.securities[index].known = true;
            self.securities[index].suspended = suspended;
        }
    }

    fn record_body(&mut self, index: usize, suspended: bool) -> Object {
        let security = self.securities[index].clone();
        let name = if self.swarm.unicode { "贵州茅台🍶" } else { "Name" };
        let mut body = Object::from([
            ("security", text(security.code)),
            ("name", text(name)),
            ("class", text(security.class)),
            ("board", text(security.board)),
            ("collateral", Value::Bool(self.rng.chance(900))),
            ("financing", Value::Bool(self.rng.chance(800))),
            ("shorting", Value::Bool(self.rng.chance(800))),
        ]);
        let haircut = self.some_rate(&[0, 5000, 6500, 6501, 7000, 9000, 10_000]);
        body.set("haircut", haircut);
        if self.rng.chance(400) {
            let count = self.rng.below(4);
            let names = (0..count).map(|_| text(*self.rng.pick(&INDICES))).collect();
            body.set("indices", Value::List(names));
        }
        if suspended || self.rng.chance(60) {
            body.set("suspended", Value::Bool(true));
            if self.rng.chance(600) {
                let back = *self.rng.pick(&[0, 1, 2, 5, 28, 29, 30, 31, 45, 400]);
                body.set("suspended_since", text(date_text(self.day - back)));
            }
        }
        self.record_extras(&mut body);
        body
    }

    fn record_extras(&mut self, body: &mut Object) {
        if self.rng.chance(60) {
            body.set("risk_warning", Value::Bool(self.rng.chance(700)));
        }
        if self.rng.chance(40) {
            body.set("delisting", Value::Bool(self.rng.chance(700)));
        }
        if self.rng.chance(300) {
            let pe = *self.rng.pick(&[-1, 0, 1, 2_999_999, 3_000_000, 3_000_001, 155_000, -90_000]);
            body.set("pe_static", Value::Dec(pe, 4));
        }
        if self.rng.chance(500) {
            let ratio = self.some_rate(&[5000, 8000, 10_000]);
            body.set("financing_margin", ratio);
        }
        if self.rng.chance(500) {
            let ratio = self.some_rate(&[5000, 10_000, 12_000]);
            body.set("short_margin", ratio);
        }
        if self.rng.chance(80) {
            body.set("total_shares", Value::Int(1_000_000_000));
            body.set("float_shares", Value::Int(i128::from(self.rng.range(0, 1_000_000_000))));
            body.set("average_turnover", money(self.rng.wide(0, 1_000_000_000_000)));
            body.set("group", text("A"));
        }
        if self.rng.chance(80) {
            body.set("lot", Value::Int(100));
            body.set("tick", money(100));
            body.set("sell_after", text(*self.rng.pick(&["T0", "T1"])));
            body.set("listed_on", text(date_text(self.day - 1000)));
            body.set("pledge_share", Value::Dec(1234, 4));
        }
    }

    /// A record anew: another haircut, a suspension, or the first record of a security.
    pub fn security_record(&mut self) {
        let index = self.rng.below(self.securities.len());
        let suspended = self.rng.chance(250);
        let body = self.record_body(index, suspended);
        self.send_record(index, body);
    }

    /// A record that says nothing but whether the security is suspended, and since when.
    pub fn plain_record(&mut self, index: usize, since: Option<i64>) {
        let security = self.securities[index].clone();
        let mut body = Object::from([
            ("security", text(security.code)),
            ("name", text("plain")),
            ("class", text(security.class)),
            ("board", text(security.board)),
            ("collateral", Value::Bool(true)),
            ("financing", Value::Bool(true)),
            ("shorting", Value::Bool(true)),
            ("haircut", Value::Dec(6500, 4)),
        ]);
        if let Some(day) = since {
            body.set("suspended", Value::Bool(true));
            body.set("suspended_since", text(date_text(day)));
        }
        self.send_record(index, body);
    }

    fn any_price(&mut self, index: usize) -> i64 {
        let ceiling = self.securities[index].ceiling;
        match self.rng.below(20) {
            0 => 1,
            1 => ceiling,
            _ => 100 * self.rng.range(1, (ceiling / 100).max(1)),
        }
    }

    /// A quote of a known security near its mark, or anywhere.
    pub fn quote(&mut self) {
        let Some(index) = self.some_security() else {
            return;
        };
        let price = match self.securities[index].mark() {
            Some(mark) if self.rng.chance(900) => {
                let moved = mark + mark * self.rng.range(-120, 120) / 1000;
                (moved + self.rng.range(-2, 2)).clamp(1, MAX_PRICE - 1)
            }
            _ => self.any_price(index),
        };
        self.quote_at(index, price);
    }

    /// A quote at which some account stands at, just above or just below a line.
    pub fn steer_quote(&mut self) {
        for _ in 0..4 {
            let Some(account) = self.some_debtor() else {
                break;
            };
            let line = self.some_line(account);
            let places: Vec<usize> = self.accounts[account].positions.keys().copied().collect();
            let owed = self.accounts[account].contracts.iter().filter(|c| c.short);
            let places: Vec<usize> = places.into_iter().chain(owed.map(|c| c.security)).collect();
            if places.is_empty() {
                continue;
            }
            let security = *self.rng.pick(&places);
            if let Some(price) = self.accounts[account].breach(&self.securities, security, line) {
                let near = price + *self.rng.pick(&[-1, 0, 1, 0, -50, 50, -700, 700]);
                self.quote_at(security, near.clamp(1, MAX_PRICE - 1));
                return;
            }
        }
        self.quote();
    }

    /// A quote of that price with any of the other fields.
    pub fn quote_at(&mut self, index: usize, price: i64) {
        let mut body = Object::from([("security", text(self.securities[index].code.clone()))]);
        let indicative = self.rng.chance(80);
        let phase = if indicative || self.rng.chance(200) {
            let phase = *self.rng.pick(&PHASES);
            body.set("phase", text(phase));
            phase
        } else {
            "continuous"
        };
        let priced = self.rng.chance(970);
        if priced {
            body.set("price", money(price));
        }
        let prev = self.quote_extras(&mut body, price, phase);
        let at = self.event_time();
        let (known, before) = (self.securities[index].known, self.securities[index].quoted_at);
        if self.send_at("quote", at, body).is_none() || !known || before.is_some_and(|t| t > at) {
            return;
        }
        let security = &mut self.securities[index];
        security.quoted_at = Some(at);
        security.prev = prev.or(security.prev);
        let sets = !matches!(phase, "pre_open" | "open_auction" | "auction_no_cancel" | "close_auction");
        if priced && sets {
            security.last = Some(price);
        }
    }

    /// Adds the other fields of a quote and gives back the previous close it sets.
    fn quote_extras(&mut self, body: &mut Object, price: i64, phase: &str) -> Option<i64> {
        let mut prev = None;
        if self.rng.chance(100) {
            let close = (price + self.rng.range(-3, 3)).clamp(0, MAX_PRICE - 1);
            let close = if self.rng.chance(200) { 0 } else { close };
            body.set("prev_close", money(close));
            prev = (close > 0).then_some(close);
        }
        if self.rng.chance(150) {
            let width = *self.rng.pick(&[0, 1, price / 10]);
            body.set("limit_up", money((price + width).min(MAX_PRICE - 1)));
            body.set("limit_down", money((price - width).max(0)));
        }
        if self.rng.chance(150) {
            let ask = (price + 1).min(MAX_PRICE - 1);
            let crossed = phase != "continuous" && self.rng.chance(200);
            let (bid, ask) = if crossed { (ask, price) } else { (price, ask) };
            body.set("bid1", money(*self.rng.pick(&[0, bid])));
            body.set("ask1", money(*self.rng.pick(&[0, ask])));
        }
        if self.rng.chance(100) {
            body.set("volume", Value::Int(i128::from(self.rng.range(0, 1_000_000))));
            body.set("turnover", money(self.rng.wide(0, 1_000_000_000)));
            body.set("last", Value::Bool(self.rng.chance(500)));
        }
        prev
    }

    /// A level of an index.
    pub fn index(&mut self) {
        let index = *self.rng.pick(&INDICES);
        let level = self.rng.range(1, 60_000_000);
        let at = self.event_time();
        let body = Object::from([("index", text(index)), ("level", Value::Dec(level.into(), 4))]);
        if self.send_at("index", at, body).is_some() {
            self.index_at = Some(at);
        }
    }

    /// A fair value set by hand, or lifted.
    pub fn manual_mark(&mut self) {
        let Some(index) = self.some_security() else {
            return;
        };
        let lifted = self.securities[index].manual.is_some() && self.rng.chance(700);
        let price = match self.securities[index].mark() {
            _ if self.rng.chance(60) => 0,
            Some(mark) => (mark + mark * self.rng.range(-150, 150) / 1000).clamp(0, MAX_PRICE - 1),
            None => self.any_price(index),
        };
        let sent = self.send(
            "mark",
            [
                ("security", text(self.securities[index].code.clone())),
                ("price", if lifted { Value::Null } else { money(price) }),
                ("by", text("风控")),
                ("reason", text("fair value")),
            ],
        );
        if sent.is_some() {
            self.securities[index].manual = (!lifted).then_some(price);
        }
    }

    /// A corporate action of any kind, early or late.
    pub fn corporate_action(&mut self) {
        let Some(index) = self.some_security() else {
            return;
        };
        let kind = *self.rng.pick(&["cash_dividend", "bonus", "split", "rights"]);
        let ahead = *self.rng.pick(&[0, 1, 1, 2, 3, 7, -1, -3]);
        let ex_date = self.day + ahead;
        let mut body = Object::from([
            ("security", text(self.securities[index].code.clone())),
            ("kind", text(kind)),
            ("ex_date", text(date_text(ex_date))),
        ]);
        let dates = [("record_date", -1), ("pay_date", self.rng.range(-1, 6)), ("list_date", 2)];
        for (field, after) in dates {
            if self.rng.chance(400) {
                body.set(field, text(date_text(ex_date + after)));
            }
        }
        let (figure, price) = self.action_figures(&mut body, index, kind);
        if self.send_object("corporate_action", body).is_some() {
            let action = Pending { security: index, ex_date, kind, figure, price };
            if self.started.is_some_and(|day| day >= ex_date) {
                self.take_action(&action);
            } else {
                self.pending.push(action);
            }
        }
    }

    fn action_figures(&mut self, body: &mut Object, index: usize, kind: &str) -> (i64, i64) {
        let mark = self.securities[index].mark().unwrap_or(100_000);
        let mut price = 0;
        let figure = match kind {
            "cash_dividend" => {
                let share = *self.rng.pick(&[1, 33, 50_000_000, 12_345_678, mark * 1000]);
                share.clamp(1, 100_000_000_000)
            }
            "split" => *self.rng.pick(&[200_000_000, 50_000_000, 10_000_000, 33_333_333]),
            _ => *self.rng.pick(&[30_000_000, 50_000_000, 100_000_000, 1, 12_345_678]),
        };
        if kind == "cash_dividend" {
            body.set("per_share", rate(figure));
        } else {
            body.set("ratio", rate(figure));
        }
        if kind == "rights" {
            price = (mark * self.rng.range(300, 1050) / 1000).clamp(1, MAX_PRICE - 1);
            body.set("price", money(price));
            if self.rng.chance(300) {
                body.set("compensation", rate(self.rng.range(0, 200_000_000)));
            }
        }
        (figure, price)
    }

    /// What an action does to prices, positions and contracts, one action at a time.
    pub fn take_action(&mut self, action: &Pending) {
        const ONE: i128 = 100_000_000;
        let (figure, index) = (i128::from(action.figure), action.security);
        let price = |p: i64| -> i64 {
            let p = i128::from(p);
            let moved = match action.kind {
                "cash_dividend" => p - figure / 10_000,
                "bonus" => p * ONE / (ONE + figure),
                "rights" => (p * ONE + figure * i128::from(action.price)) / (ONE + figure),
                _ => p * ONE / figure,
            };
            moved.clamp(0, i128::from(MAX_PRICE - 1)) as i64
        };
        let shares = |q: i64| -> i64 {
            let q = i128::from(q);
            let moved = match action.kind {
                "bonus" => q + q * figure / ONE,
                "split" => q * figure / ONE,
                _ => q,
            };
            moved as i64
        };
        let security = &mut self.securities[index];
        security.last = security.last.map(price);
        security.prev = security.prev.map(price);
        security.manual = security.manual.map(price);
        for account in &mut self.accounts {
            let held = account.held(index);
            if held > 0 {
                account.add(index, shares(held) - held);
                if action.kind == "cash_dividend" {
                    account.receivables += i128::from(held) * figure / 10_000;
                }
            }
            for contract in account.contracts.iter_mut().filter(|c| c.security == index) {
                if contract.short && action.kind == "cash_dividend" {
                    contract.interest += i128::from(contract.quantity) * figure / 10_000;
                }
                contract.quantity = shares(contract.quantity);
            }
        }
    }

    /// A quote older than the last accepted one.
    pub fn stale_quote(&mut self) -> Option<()> {
        let index = self.some_security()?;
        let before = self.securities[index].quoted_at?;
        let back = *self.rng.pick(&[1, 1000, SECOND, DAY]);
        let body =
            Object::from([("security", text(self.securities[index].code.clone())), ("price", money(12_300))]);
        self.send_at("quote", before - back, body);
        Some(())
    }
}
