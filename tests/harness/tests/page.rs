//! The live page as a desk sees it: the real service, Debian's Chromium, no reload.

use std::path::Path;

use plimsoll_tests::browser::Browser;
use plimsoll_tests::folder::Folder;
use plimsoll_tests::service::Server;
use serde_json::{Value, json};

/// A browser, or why the test is skipped.
fn browser(folder: &Folder) -> Option<Browser> {
    let started = Browser::start(&folder.join("profile"));
    started.map_err(|why| println!("skipped: {why}")).ok()
}

fn start(folder: &Folder, more: &[&str]) -> Server {
    Server::start(&folder.join("data"), more).unwrap_or_else(|(status, said)| panic!("{status:?}: {said}"))
}

fn event(kind: &str, id: &str, at: &str, rest: Value) -> String {
    let mut event = json!({"v": 1, "type": kind, "id": id, "source": "test", "at": at});
    let Value::Object(fields) = rest else { panic!("fields") };
    event.as_object_mut().expect("an object").extend(fields);
    event.to_string() + "\n"
}

const MORNING: &str = "2026-01-19T09:30:00+08:00";
/// The customer of an account whose name would be markup if anybody took it for that.
const MARKUP: &str = "<img src=x onerror=alert(1)>";

/// A security at 10 yuan and forty accounts that hold 1 000 of it: A01 owes 2 650 yuan, each next one 150
/// more, A40 8 500; every tenth has also sold another one short.
fn book() -> String {
    let security = |code: &str| {
        json!({"security": code, "name": "x", "class": "a_share", "board": "main",
            "collateral": true, "financing": true, "shorting": true, "haircut": "0.7"})
    };
    let quote = |code: &str, price: &str| json!({"security": code, "price": price});
    let mut lines = vec![
        event("security", "s1", MORNING, security("600000.SH")),
        event("security", "s2", MORNING, security("000001.SZ")),
        event("day_start", "d1", MORNING, json!({"date": "2026-01-19"})),
        event("quote", "p1", MORNING, quote("600000.SH", "10")),
        event("quote", "p2", MORNING, quote("000001.SZ", "12.34")),
    ];
    for n in 1..=40 {
        let account = format!("A{n:02}");
        let customer = if n == 40 { MARKUP.to_owned() } else { format!("C{n:02}") };
        let mut contracts = vec![
            json!({"contract": format!("F{n}"), "side": "financing", "security": "600000.SH", "quantity": 500,
            "amount": (2_500 + 150 * n).to_string(), "opened": "2026-01-05", "due": "2026-07-04", "rate": "0.0835"}),
        ];
        if n % 10 == 0 {
            contracts.push(json!({"contract": format!("S{n}"), "side": "short", "security": "000001.SZ",
                "quantity": 100, "amount": "1300", "opened": "2026-01-06", "rate": "0.1035"}));
        }
        let opening = json!({"account": account, "cash": if n % 10 == 0 { "1300" } else { "0" },
            "positions": [{"security": "600000.SH", "quantity": 1000}], "contracts": contracts});
        let opened = json!({"account": account, "customer": customer, "client_class": "individual"});
        lines.push(event("account", &format!("a{n}"), MORNING, opened));
        lines.push(event("opening", &format!("o{n}"), MORNING, opening));
    }
    lines.concat()
}

/// Quotes the first security; the minute tells one quote from another.
fn quote(server: &Server, minute: u32, price: &str) {
    let at = format!("2026-01-19T09:{minute}:00+08:00");
    let quote = json!({"security": "600000.SH", "price": price});
    post(server, &event("quote", &format!("q{minute}"), &at, quote));
}

fn post(server: &Server, lines: &str) {
    let answer = server.post(lines.as_bytes()).expect("an answer");
    assert_eq!(
        (answer.status, &answer.json()["refused"]),
        (200, &json!([])),
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
}

/// The count of a tier as the page has it.
fn shows(tier: &str, server: &Server) -> String {
    let count = server.get("/v1/summary").json()["tiers"][tier].to_string();
    format!("document.querySelector('#tiers .t-{tier} b').textContent === '{count}'")
}

const LIVE: &str = "document.getElementById('state').textContent.startsWith";

#[test]
fn a_desk_watches_a_fall_without_a_reload() {
    let folder = Folder::new("page-fall");
    let Some(mut browser) = browser(&folder) else { return };
    let pictures = std::env::temp_dir().join("plimsoll-page");
    std::fs::create_dir_all(&pictures).expect("a folder");
    println!("pictures: {}", pictures.display());
    let mut server = start(&folder, &[]);
    post(&server, &book());
    browser.dress(1360, 900, "light");
    browser.open(&format!("http://{}/", server.address));
    browser.until(&shows("normal", &server));
    browser.until(&format!("{LIVE}('Live')"));
    browser.value("window.same = true");

    // A fall: the accounts of the tiers, the newest warnings and the worst accounts follow.
    quote(&server, 31, "9.1");
    quote(&server, 32, "7.9");
    browser.until(&shows("immediate", &server));
    browser
        .until("[...document.querySelectorAll('#newest .link')].some((link) => link.textContent === 'A27')");
    browser.until("document.querySelector('#worst tr .link').textContent === 'A40'");
    browser.until("document.querySelector('#worst tr .badge').textContent === 'Insolvent'");
    let customer = browser.value("document.querySelector('#worst tr .wide').textContent");
    assert_eq!(customer, MARKUP, "a name is a text");
    browser.picture(&pictures.join("desk-en.png"));

    an_account_term_by_term(&mut browser, &server, &pictures);

    browser.press("#language");
    browser.until("document.querySelector('[data-t=newest]').textContent === '最新预警'");
    browser.until("document.querySelector('#tiers .t-call span').textContent === '追保'");
    browser.until("document.querySelector('#newest .badge').textContent.match(/关注|预警|追保|平仓|穿仓/)");
    browser.dress(1360, 900, "dark");
    browser.picture(&pictures.join("desk-zh.png"));
    browser.dress(390, 844, "light");
    browser.picture(&pictures.join("phone-zh.png"));
    browser.press("#worst tr .link");
    browser.until("document.querySelector('#account[open] .big b')");
    browser.picture(&pictures.join("phone-account-zh.png"));
    browser.press("#close");
    browser.until("!document.querySelector('#account').open");
    assert_eq!(browser.value("document.documentElement.scrollWidth"), 390, "nothing runs off a phone");
    assert_eq!(browser.complaints(), [""; 0]);

    // The service goes as a power cut would end it, and comes back where it was.
    let address = server.address.to_string();
    server.kill();
    browser.until("document.body.classList.contains('lost')");
    browser.until(&format!("{LIVE}('连接中断')"));
    browser.picture(&pictures.join("phone-lost.png"));
    server = start(&folder, &["--listen", &address]);
    quote(&server, 34, "6.2");
    browser.until("!document.body.classList.contains('lost')");
    browser.until(&shows("insolvent", &server));
    quote(&server, 35, "5.9");
    browser.until(&shows("insolvent", &server));
    assert_eq!(browser.value("window.same"), true, "never reloaded");
    let others: Vec<String> =
        browser.complaints().into_iter().filter(|one| !one.contains(r#""source":"network""#)).collect();
    assert_eq!(others, [""; 0], "nothing but the requests that found nobody");
    server.kill();
}

/// Opens the worst account, and another by its id.
fn an_account_term_by_term(browser: &mut Browser, server: &Server, pictures: &Path) {
    browser.press("#worst tr .link");
    browser.until("document.querySelector('#account[open] .big b')");
    let figures = server.get("/v1/accounts/A40").json();
    // 7 900 and 1 300 of cash over 8 500 and 1 234: 0.945140…
    assert_eq!(figures["account"]["ratio"], "0.945140");
    browser.until("document.querySelector('#figures .big b').textContent === '94.514%'");
    let adds_up = "[...document.querySelectorAll('.terms dl')].every((list) => {
        const terms = [...list.querySelectorAll('dd')].map((dd) => Number(dd.textContent.replace('−', '-').replaceAll(',', '')));
        const whole = terms.pop();
        return terms.length > 2 && Math.abs(whole - terms.reduce((all, one) => all + one, 0)) < 1e-6;
    })";
    assert_eq!(browser.value(adds_up), true, "the terms are the whole");
    browser.picture(&pictures.join("account-en.png"));
    quote(server, 33, "8");
    browser.until("document.querySelector('#figures .big b').textContent === '95.5414%'");
    browser.key("Escape", "", 27);
    browser.until("!document.querySelector('#account').open");
    browser.press("#wanted");
    browser.type_in("A01");
    browser.until("document.querySelector('#account_name').textContent.startsWith('A01')");
    browser.until("document.querySelector('#figures .big b').textContent.startsWith('301.88')");
    browser.press("#close");
    browser.until("!document.querySelector('#account').open && location.hash === ''");
}

#[test]
fn a_page_without_the_key_asks_for_it() {
    let folder = Folder::new("page-key");
    let Some(mut browser) = browser(&folder) else { return };
    let key = folder.join("key");
    std::fs::write(&key, "0123456789abcdef0123\n").expect("written");
    let server = start(&folder, &["--key-file", key.to_str().expect("text")]);
    browser.open(&format!("http://{}/", server.address));
    for typed in ["0123456789abcdef0124", "0123456789abcdef0123"] {
        browser.until("document.getElementById('key').open && document.activeElement.id === 'secret'");
        browser.type_in(typed);
        browser.until("!document.getElementById('key').open || !document.getElementById('secret').value");
    }
    browser.until(&format!("{LIVE}('Live')"));
    let others: Vec<String> =
        browser.complaints().into_iter().filter(|one| !one.contains("401 (Unauthorized)")).collect();
    assert_eq!(others, [""; 0]);
    server.kill();
}

#[test]
fn what_a_browser_may_do_with_the_page_is_said() {
    let folder = Folder::new("page-policy");
    let server = start(&folder, &[]);
    for (path, kind) in [("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            answer.head.contains(&format!("content-type: {kind}; charset=utf-8")),
            "{path}: {}",
            answer.head
        );
        assert!(
            answer.head.contains("content-security-policy: default-src 'none'; script-src 'self';"),
            "{path}"
        );
        assert!(!answer.head.contains("unsafe"), "{path}: {}", answer.head);
    }
    server.kill();
}
