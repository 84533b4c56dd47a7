//! Events that must be refused, one way for every code, and events that come twice.

use super::books::{MAX_MONEY, MAX_QUANTITY};
use super::json::{Object, Value, money, text};
use super::schema;
use super::stream::Generator;
use super::time::{DAY, date_text};

/// Texts that are no decimal, or none that any field takes.
const BAD_DECIMALS: [&str; 16] = [
    "\"1e3\"",
    "1e3",
    "1E-2",
    "\"+1\"",
    "\"1,000\"",
    "\"NaN\"",
    "\"inf\"",
    "\"\"",
    "\" 1\"",
    "\"1.\"",
    "\".5\"",
    "\"0.123456789\"",
    "\"99999999999999999999999999999999999999999999\"",
    "true",
    "{}",
    "[]",
];
const BAD_INTEGERS: [&str; 7] = ["1.5", "\"5\"", "99999999999999999999", "-1", "true", "{}", "1e2"];
const BAD_WORDS: [&str; 5] = ["\"nope\"", "5", "false", "[]", "{}"];
const BAD_DATES: [&str; 6] =
    ["\"2026-02-30\"", "\"2026-1-1\"", "\"20260101\"", "\"tomorrow\"", "20260101", "\"2026-13-01\""];

/// Values no field of that name takes.
fn bad_values(field: &str) -> Option<&'static [&'static str]> {
    Some(match field {
        "price" | "haircut" | "amount" | "cash" | "level" | "fee" | "value" | "rate" | "prev_close"
        | "bid1" | "ask1" | "limit_up" | "limit_down" | "margin_ratio" | "financing_margin"
        | "short_margin" | "other_collateral" | "pe_static" => &BAD_DECIMALS,
        "quantity" | "remaining" | "deadline_days" => &BAD_INTEGERS,
        "side" | "status" | "kind" | "class" | "board" | "client_class" | "reason" | "phase"
        | "call_basis" | "immediate_basis" | "sale_floor" => &BAD_WORDS,
        "collateral" | "financing" | "shorting" | "suspended" | "risk_warning" | "delisting" => {
            &["\"true\"", "0", "1", "[]"]
        }
        "date" | "ex_date" | "pay_date" | "due" | "valid_from" | "suspended_since" => &BAD_DATES,
        "account" | "security" | "contract" | "customer" | "name" | "by" => &["5", "true", "[\"A\"]"],
        "positions" | "contracts" | "rows" | "dates" | "indices" => &["{}", "\"none\"", "[5]", "7"],
        "policy" => &["[]", "\"x\"", "{\"lines\":5}", "{\"nosuch\":{}}"],
        _ => return None,
    })
}

impl Generator {
    /// Puts one or two faults into an event that was right.
    pub fn spoil(&mut self, kind: &str, event: &mut Object) {
        for _ in 0..1 + usize::from(self.rng.chance(250)) {
            self.spoil_once(kind, event);
        }
    }

    fn spoil_once(&mut self, kind: &str, event: &mut Object) {
        let required = schema::fields(kind).map_or(&[][..], |fields| fields.required);
        match self.rng.below(8) {
            0 => {
                let field = *self.rng.pick(&["zzz", "Type", "nöpe"]);
                event.set(field, Value::Int(1));
            }
            1 if !required.is_empty() => {
                let field = *self.rng.pick(required);
                event.remove(field);
            }
            2 if !required.is_empty() => {
                let field = *self.rng.pick(required);
                event.set(field, Value::Null);
            }
            3 => self.spoil_envelope(event),
            4 => self.spoil_inside(event),
            _ => {
                let fields: Vec<String> = event.0.iter().skip(5).map(|(k, _)| k.clone()).collect();
                if fields.is_empty() {
                    return;
                }
                let field = self.rng.pick(&fields).clone();
                if let Some(bad) = bad_values(&field) {
                    event.set(&field, Value::Raw((*self.rng.pick(bad)).to_owned()));
                }
            }
        }
    }

    fn spoil_envelope(&mut self, event: &mut Object) {
        match self.rng.below(6) {
            0 => event.set("v", Value::Int(2)),
            1 => event.set("v", Value::Raw("\"1\"".to_owned())),
            2 => event.set("id", text("")),
            3 => event.set("source_seq", Value::Raw("1.5".to_owned())),
            4 => event.set("type", text(*self.rng.pick(&schema::LATER))),
            _ => event.set("type", text("quotes")),
        }
    }

    /// Puts a fault into the first element of a list of objects.
    fn spoil_inside(&mut self, event: &mut Object) {
        let unknown = self.rng.chance(400);
        for (_, value) in &mut event.0 {
            let Value::List(items) = value else { continue };
            if let Some(Value::Object(first)) = items.first_mut() {
                if unknown {
                    first.set("zzz", Value::Bool(true));
                } else if !first.0.is_empty() {
                    let at = self.rng.below(first.0.len());
                    first.0.remove(at);
                }
                return;
            }
        }
    }

    /// An earlier line again: as it was, or the same id with other content.
    pub fn duplicate(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let back = self.rng.below(self.lines.len().min(60));
        let line = self.lines[self.lines.len() - 1 - back].clone();
        self.lines.push(line);
    }

    /// An event that must be refused; the codes come equally often.
    pub fn fault(&mut self) {
        match self.rng.below(20) {
            0 => self.malformed(),
            1 => self.altered(|event| event.set("v", Value::Int(2))),
            2 => self.altered(|event| event.set("type", text("quotes"))),
            3 => {
                let kind = *self.rng.pick(&schema::LATER);
                self.altered(|event| event.set("type", text(kind)));
            }
            4 => self.altered(|event| event.set("zzz", Value::Bool(true))),
            5 => self.altered(|event| event.0.truncate(event.0.len() - 1)),
            6 => self.bad_value(),
            7 => {
                if self.stale_quote().is_none() {
                    self.stale_index();
                }
            }
            8 => self.quarantined(),
            9 => self.unknown_account(),
            10 => self.unknown_security(),
            11 => self.foreign_security(),
            12 => self.unknown_contract(),
            13 => self.wrong_date(),
            14 => self.taken_contract(),
            15 => self.bad_lines(),
            16 => self.too_many_shares(),
            17 => self.too_much_cash(),
            18 => self.too_much_paid(),
            _ => self.out_of_range(),
        }
    }

    /// A cash movement with its envelope, altered.
    fn altered(&mut self, alter: impl FnOnce(&mut Object)) {
        let account = self.some_account().map_or("A0".to_owned(), |a| self.accounts[a].code.clone());
        let body = Object::from([
            ("account", text(account)),
            ("amount", money(10_000)),
            ("reason", text("deposit")),
        ]);
        let (mut event, _) = self.envelope("cash", self.now, body);
        alter(&mut event);
        self.write(&event);
    }

    fn malformed(&mut self) {
        let far = self.now + 372 * DAY;
        match self.rng.below(9) {
            0 => self.altered(|event| event.remove("v")),
            1 => self.altered(|event| event.set("v", Value::Raw("1.0".to_owned()))),
            2 => self.altered(|event| event.set("id", text(""))),
            3 => self.altered(|event| event.set("source", Value::Int(7))),
            4 => self.altered(|event| event.remove("at")),
            5 => self.altered(|event| event.set("at", text("2026-01-19 09:30:00"))),
            6 => {
                let at = self.time_value(far);
                self.altered(|event| event.set("at", at));
            }
            7 => self.altered(|event| {
                let again = event.0[event.0.len() - 1].clone();
                event.0.push(again);
            }),
            _ => self.altered(|event| event.remove("type")),
        }
    }

    fn bad_value(&mut self) {
        match self.rng.below(4) {
            0 => {
                let bad = *self.rng.pick(&BAD_DECIMALS);
                self.altered(|event| event.set("amount", Value::Raw(bad.to_owned())));
            }
            1 => self.altered(|event| event.set("amount", money(0))),
            2 => self.altered(|event| event.set("amount", money(MAX_MONEY))),
            _ => self.altered(|event| event.set("reason", text("withdrawal"))),
        }
    }

    fn stale_index(&mut self) {
        let Some(before) = self.index_at else { return };
        let body = Object::from([("index", text("CSI300")), ("level", text("1"))]);
        self.send_at("index", before - 1, body);
    }

    fn quarantined(&mut self) {
        let Some(index) = self.some_security() else {
            return;
        };
        let mut body = Object::from([("security", text(self.securities[index].code.clone()))]);
        match self.rng.below(4) {
            0 => body.set("price", money(0)),
            1 => {
                body.set("price", money(10_001));
                body.set("limit_up", money(10_000));
            }
            2 => {
                body.set("price", money(9999));
                body.set("limit_down", money(10_000));
            }
            _ => {
                body.set("price", money(10_000));
                body.set("bid1", money(10_001));
                body.set("ask1", money(10_000));
            }
        }
        self.send_object("quote", body);
    }

    fn unknown_account(&mut self) {
        let security = self.securities[0].code.clone();
        let body = Object::from([("account", text("nobody"))]);
        match self.rng.below(4) {
            0 => self.altered(|event| event.set("account", text("nobody"))),
            1 => {
                self.send_object("lines", body);
            }
            2 => {
                let mut body = body;
                body.set("security", text(security));
                body.set("quantity", Value::Int(100));
                self.send_object("transfer", body);
            }
            _ => {
                let mut body = body;
                body.set("cash", money(0));
                self.send_object("opening", body);
            }
        }
    }

    fn unknown_security(&mut self) {
        let Some(account) = self.some_account() else {
            return;
        };
        let code = self.accounts[account].code.clone();
        let security = ("security", text("601999.SH"));
        match self.rng.below(4) {
            0 => self.send("quote", [security, ("price", money(10_000))]),
            1 => self.send("transfer", [("account", text(code)), security, ("quantity", Value::Int(100))]),
            2 => {
                let position = Object::from([security, ("quantity", Value::Int(100))]);
                let positions = Value::List(vec![Value::Object(position)]);
                self.send("opening", [("account", text(code)), ("cash", money(0)), ("positions", positions)])
            }
            _ => self.send(
                "mark",
                [security, ("price", Value::Null), ("by", text("desk")), ("reason", text("none"))],
            ),
        };
    }

    fn foreign_security(&mut self) {
        let (code, board) = *self.rng.pick(&[("00700.HK", "hk"), ("005930.KR", "kr")]);
        self.send(
            "security",
            [
                ("security", text(code)),
                ("name", text("abroad")),
                ("class", text("a_share")),
                ("board", text(board)),
                ("collateral", Value::Bool(true)),
                ("financing", Value::Bool(false)),
                ("shorting", Value::Bool(false)),
                ("haircut", money(5000)),
            ],
        );
    }

    fn unknown_contract(&mut self) {
        let Some(account) = self.some_account() else {
            return;
        };
        let code = text(self.accounts[account].code.clone());
        let contract = ("contract", text("nothing"));
        let account = ("account", code);
        let amount = ("amount", money(1));
        match self.rng.below(3) {
            0 => self.send("repay", [account, contract, amount]),
            1 => self.send("interest", [account, contract, amount, ("kind", text("penalty"))]),
            _ => self.send("extend", [account, contract, ("due", text(date_text(self.day)))]),
        };
    }

    fn wrong_date(&mut self) {
        let last = self.started.max(self.ended).unwrap_or(self.day);
        let kind = if self.ended.is_some() && self.rng.chance(400) { "day_end" } else { "day_start" };
        let last = if kind == "day_end" { self.ended.unwrap_or(last) } else { last };
        let date = last - *self.rng.pick(&[0, 0, 1, 30]);
        self.send(kind, [("date", text(date_text(date)))]);
    }

    fn taken_contract(&mut self) {
        let Some(index) = self.some_debtor() else {
            return;
        };
        let account = &self.accounts[index];
        let Some(contract) = account.contracts.first() else {
            return;
        };
        let side = if contract.short { "margin_buy" } else { "short_sell" };
        let body = Object::from([
            ("account", text(account.code.clone())),
            ("side", text(side)),
            ("security", text(self.securities[contract.security].code.clone())),
            ("quantity", Value::Int(100)),
            ("price", money(10_000)),
            ("contract", text(contract.id.clone())),
        ]);
        self.send_object("fill", body);
    }

    fn bad_lines(&mut self) {
        let Some(index) = self.some_account() else {
            return;
        };
        let mut body = Object::from([("account", text(self.accounts[index].code.clone()))]);
        match self.rng.below(5) {
            0 => body.set("watch", money(10_000)),
            1 => body.set("free", money(29_999)),
            2 => {
                body.set("warning", money(13_000));
                body.set("call", money(13_000));
            }
            3 => {
                body.set("restore_call", money(15_000));
                body.set("restore_sale", money(14_999));
            }
            _ => {
                let line = Object::from([("free", money(29_999))]);
                let policy = Object::from([("lines", Value::Object(line))]);
                self.send(
                    "policy",
                    [("version", text("bad")), ("policy", Value::Object(policy)), ("by", text("desk"))],
                );
                return;
            }
        }
        self.send_object("lines", body);
    }

    fn too_many_shares(&mut self) {
        let (Some(index), Some(security)) = (self.some_account(), self.some_security()) else {
            return;
        };
        let held = self.accounts[index].held(security);
        let account = ("account", text(self.accounts[index].code.clone()));
        let security = ("security", text(self.securities[security].code.clone()));
        if self.rng.chance(500) {
            self.send("transfer", [account, security, ("quantity", Value::Int((-held - 1).into()))]);
        } else {
            self.send(
                "fill",
                [
                    account,
                    ("side", text("collateral_sell")),
                    security,
                    ("quantity", Value::Int((held + 1).into())),
                    ("price", money(10_000)),
                ],
            );
        }
    }

    fn too_much_cash(&mut self) {
        let Some(index) = self.some_account() else {
            return;
        };
        let over = self.accounts[index].cash.max(0) + 1;
        if over >= MAX_MONEY {
            return;
        }
        self.send(
            "cash",
            [
                ("account", text(self.accounts[index].code.clone())),
                ("amount", money(-over)),
                ("reason", text("withdrawal")),
            ],
        );
    }

    fn too_much_paid(&mut self) {
        let (Some(index), Some(security)) = (self.some_debtor(), self.some_security()) else {
            return;
        };
        let account = &self.accounts[index];
        let code = ("account", text(account.code.clone()));
        if let Some(contract) = account.contracts.iter().find(|c| c.payable() < account.cash) {
            let over = contract.payable() + 1;
            let contract = ("contract", text(contract.id.clone()));
            self.send("repay", [code, contract, ("amount", money(over))]);
        } else if account.owed(security) == 0 {
            self.send(
                "fill",
                [
                    code,
                    ("side", text("buy_to_cover")),
                    ("security", text(self.securities[security].code.clone())),
                    ("quantity", Value::Int(1)),
                    ("price", money(10_000)),
                ],
            );
        }
    }

    fn out_of_range(&mut self) {
        let (Some(index), Some(security)) = (self.some_account(), self.some_security()) else {
            return;
        };
        let account = &self.accounts[index];
        let code = ("account", text(account.code.clone()));
        let room = MAX_MONEY - account.cash;
        let shares = MAX_QUANTITY - account.held(security);
        if 0 < room && room < MAX_MONEY && self.rng.chance(500) {
            let amount = ("amount", money(room));
            self.send("cash", [code, amount, ("reason", text("deposit"))]);
        } else if 0 < shares && shares < MAX_QUANTITY {
            let security = ("security", text(self.securities[security].code.clone()));
            self.send("transfer", [code, security, ("quantity", Value::Int(shares.into()))]);
        } else {
            let most = Value::Int((MAX_QUANTITY - 1).into());
            let security = ("security", text(self.securities[security].code.clone()));
            let side = ("side", text("short_sell"));
            let price = ("price", money(2_000_000_000));
            self.send("fill", [code, side, security, ("quantity", most), price]);
        }
    }
}
