//! The service as its clients see it: a real process, real sockets, killed and started again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use plimsoll_tests::folder::Folder;
use plimsoll_tests::service::{Answer, Listener, Server};
use serde_json::{Value, json};

fn start(folder: &Folder) -> Server {
    Server::start(&folder.0, &[]).unwrap_or_else(|(status, said)| panic!("{status:?}: {said}"))
}

fn event(kind: &str, id: &str, at: &str, rest: &Value) -> String {
    let mut event = json!({"v": 1, "type": kind, "id": id, "source": "test", "at": at});
    let fields = rest.as_object().expect("fields").clone();
    event.as_object_mut().expect("an object").extend(fields);
    event.to_string() + "\n"
}

const MORNING: &str = "2026-01-19T09:30:00+08:00";

/// A security at 10 yuan, a day, and an account that holds 1 000 of it and owes 5 000 yuan.
fn book() -> String {
    let security = json!({"security": "600000.SH", "name": "x", "class": "a_share", "board": "main",
        "collateral": true, "financing": true, "shorting": true, "haircut": "0.7"});
    let opening = json!({"account": "A1", "cash": "0", "positions": [{"security": "600000.SH", "quantity": 1000}],
        "contracts": [{"contract": "D1", "side": "financing", "security": "600000.SH", "quantity": 500,
            "amount": "5000", "opened": "2026-01-05"}]});
    [
        event("security", "s1", MORNING, &security),
        event("day_start", "d1", MORNING, &json!({"date": "2026-01-19"})),
        event(
            "account",
            "a1",
            MORNING,
            &json!({"account": "A1", "customer": "C1", "client_class": "individual", "branch": "上海 1"}),
        ),
        event("opening", "o1", MORNING, &opening),
        event("quote", "q1", MORNING, &json!({"security": "600000.SH", "price": "10"})),
    ]
    .concat()
}

fn quote(n: u32, price: &str) -> String {
    let at = format!("2026-01-19T09:{:02}:{:02}+08:00", 31 + n / 60, n % 60);
    event("quote", &format!("q{}", n + 2), &at, &json!({"security": "600000.SH", "price": price}))
}

fn posted(answer: Option<Answer>) -> Value {
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[test]
fn events_are_answered_and_accounts_are_shown_term_by_term() {
    let folder = Folder::new("http-shown");
    let server = start(&folder);
    let taken = posted(server.post(book().as_bytes()));
    assert_eq!(
        (&taken["accepted"], &taken["duplicates"], &taken["refused"]),
        (&json!(5), &json!(0), &json!([]))
    );
    let again = posted(server.post(book().as_bytes()));
    // A quote goes by its time, the others by their ids.
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(1), &json!(4)));
    let bad = posted(server.post(b"{\"v\":1}\nnothing\n[]\n"));
    assert_eq!(bad["refused"].as_array().map(Vec::len), Some(3), "{bad}");

    let shown = server.get("/v1/accounts/A1").json();
    assert_eq!(shown["account"]["ratio"], "2.000000");
    assert_eq!(
        (&shown["holdings"][0]["tied"], &shown["holdings"][0]["value"]),
        (&json!(500), &json!("10000.0000"))
    );
    // The published haircut of 0.70, capped at 0.65 for a share of no index.
    assert_eq!(shown["holdings"][0]["margin"], "3250.00000000");
    assert_eq!(
        (&shown["contracts"][0]["contract"], &shown["contracts"][0]["profit"]),
        (&json!("D1"), &json!("0.00000000"))
    );
    assert_eq!(shown["breach_prices"][0]["tier"], "watch");
    assert!(shown["oldest_mark_age_ms"].as_i64().is_some_and(|age| age > 0), "{shown}");
    let summary = server.get("/v1/summary").json();
    assert_eq!((&summary["tiers"]["normal"], &summary["health"]["unmarked"]), (&json!(1), &json!(0)));
    let listed = server.get("/v1/accounts?tier=normal,watch&order=ratio&limit=5").json();
    assert_eq!((&listed["accounts"][0]["account"], &listed["cursor"]), (&json!("A1"), &Value::Null));
    let of_branch = server.get("/v1/accounts?branch=%E4%B8%8A%E6%B5%B7%201&customer=C1").json();
    assert_eq!((&of_branch["accounts"][0]["account"], &shown["branch"]), (&json!("A1"), &json!("上海 1")));
    assert_eq!(server.get("/v1/securities/600000.SH").json()["held"], 1000);
    assert_eq!(server.end(), Some(0));
}

#[test]
fn questions_change_nothing() {
    let folder = Folder::new("http-questions");
    let server = start(&folder);
    posted(server.post(book().as_bytes()));
    let ask = |path: &str, body: &Value| {
        let head = "content-type: application/json\r\n";
        server.request("POST", path, head, body.to_string().as_bytes()).expect("an answer")
    };
    let before = server.get("/v1/accounts/A1").json()["account"].clone();
    let shock =
        json!({"shocks": [{"target": "market", "by": "-0.1"}, {"target": "600000.SH", "by": "-0.36"}]});
    let shocked = ask("/v1/scenario", &shock).json();
    // 1 000 shares at 6.40 against 5 000 yuan.
    assert_eq!(
        (&shocked["after"]["call"], &shocked["worsen_to"]["call"]),
        (&json!(1), &json!(1)),
        "{shocked}"
    );
    assert_eq!((&shocked["calls"], &shocked["call_sum"]), (&json!(1), &json!("600.0000")), "{shocked}");
    let events = json!({"account": "A1", "events": [
        {"type": "cash", "amount": "1000", "reason": "deposit"},
        {"type": "quote", "security": "600000.SH", "price": "6.4"},
        {"type": "fill", "side": "collateral_buy", "security": "600000.SH", "quantity": 10, "price": "6.4",
            "fee": "0", "contract": "never-heard-of"}]});
    let hypothetical = ask("/v1/what-if", &events).json();
    assert_eq!(hypothetical["before"], before, "{hypothetical}");
    assert_eq!(hypothetical["after"]["ratio"], "1.480000", "{hypothetical}");
    assert_eq!(hypothetical["effects"][0]["type"], "tier_changed", "{hypothetical}");
    assert_eq!(server.get("/v1/accounts/A1").json()["account"], before);
    for (path, body, status, code) in [
        ("/v1/scenario", json!({"shocks": [{"target": "X", "by": "-0.1"}]}), 400, "bad_request"),
        ("/v1/scenario", json!({"shocks": [{"target": "market", "by": "-1.1"}]}), 400, "bad_request"),
        ("/v1/scenario", json!({"shocks": [], "sales": 10_001}), 400, "bad_request"),
        ("/v1/scenario", json!({"shock": []}), 400, "bad_request"),
        ("/v1/what-if", json!({"account": "A9", "events": []}), 404, "unknown_account"),
        ("/v1/what-if", json!({"account": "A1", "events": [3]}), 400, "bad_request"),
    ] {
        let answer = ask(path, &body);
        assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)), "{body}: {answer:?}");
    }
    server.kill();
    // What a question named is in no log, and so in no name of the book after it.
    let server = start(&folder);
    assert_eq!(server.get("/v1/accounts/A1").json()["account"], before);
    server.kill();
}

#[test]
fn a_policy_is_taken_whole_or_with_all_its_faults() {
    let folder = Folder::new("http-policies");
    let server = start(&folder);
    posted(server.post(book().as_bytes()));
    let put =
        |text: &str| server.request("POST", "/v1/policy?by=desk", "", text.as_bytes()).expect("an answer");
    let bad = put("[lines]\nwatch = \"0.90\"\nno_line = 3\n");
    assert_eq!((bad.status, &bad.json()["code"]), (422, &json!("bad_policy")), "{bad:?}");
    assert!(bad.json()["faults"].as_array().is_some_and(|faults| !faults.is_empty()), "{bad:?}");
    assert_eq!(server.get("/v1/accounts/A1").json()["account"]["tier"], "normal");
    let good = put("[lines]\nwatch = \"2.10\"\n");
    assert_eq!((good.status, &good.json()["accepted"]), (200, &json!(1)), "{good:?}");
    assert_eq!(server.get("/v1/accounts/A1").json()["account"]["tier"], "watch");
    server.kill();
}

#[test]
fn the_history_of_an_account_is_what_was_told_of_it_over_restarts() {
    let folder = Folder::new("http-history");
    let server = start(&folder);
    posted(server.post(book().as_bytes()));
    for n in 0..30 {
        posted(server.post(quote(n, if n.is_multiple_of(2) { "6.4" } else { "10" }).as_bytes()));
    }
    server.kill();
    let server = start(&folder);
    let (mut told, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/v1/accounts/A1/history?limit=7{cursor}")).json();
        told.extend(page["effects"].as_array().expect("effects").clone());
        match page["cursor"].as_u64() {
            Some(epoch) => cursor = format!("&cursor={epoch}"),
            None => break,
        }
    }
    let changes: Vec<&Value> = told.iter().filter(|effect| effect["type"] == "tier_changed").collect();
    let ids: Vec<String> = (1..=30).rev().map(|count| format!("tier_changed/A1/{count}")).collect();
    assert_eq!(changes.iter().map(|change| change["id"].as_str().unwrap_or("")).collect::<Vec<_>>(), ids);
    assert_eq!(server.get("/v1/accounts/A9/history").status, 404);
    server.kill();
}

#[test]
fn metrics_count_what_came_and_what_became_of_it() {
    let folder = Folder::new("http-metrics");
    let server = start(&folder);
    posted(server.post(book().as_bytes()));
    posted(server.post(book().as_bytes()));
    server.get("/v1/accounts/A9");
    let text = String::from_utf8(server.get("/metrics").body).expect("text");
    for line in [
        "plimsoll_events_total{verdict=\"accepted\"} 6",
        "plimsoll_events_total{verdict=\"duplicate\"} 4",
        "plimsoll_http_requests_total{status=\"404\"} 1",
        "plimsoll_http_request_seconds_count{path=\"/v1/events\"} 2",
        "plimsoll_tick_to_commit_seconds_count 2",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
    }
    server.kill();
}

#[test]
fn what_cannot_be_answered_is_a_problem_with_a_code() {
    let folder = Folder::new("http-problems");
    let server = start(&folder);
    for (path, status, code) in [
        ("/v1/accounts/A9", 404, "unknown_account"),
        ("/v1/securities/X", 404, "unknown_security"),
        ("/v1/accounts?tier=worse", 400, "bad_request"),
        ("/v1/accounts?limit=0", 400, "bad_request"),
        ("/v1/accounts?limit=1001", 400, "bad_request"),
        ("/v1/accounts?cursor=x", 400, "bad_request"),
        ("/v1/accounts?customer=C9", 404, "unknown_customer"),
        ("/v1/accounts?branch=B9", 404, "unknown_branch"),
        ("/v1/accounts?sort=ratio", 400, "bad_request"),
        ("/v2", 404, "unknown_path"),
        ("/v1/events", 405, "method"),
        ("/v1/stream?types=alarm", 400, "bad_request"),
    ] {
        let answer = server.get(path);
        assert!(answer.head.contains("content-type: application/problem+json"), "{path}: {answer:?}");
        let problem = answer.json();
        assert_eq!((answer.status, &problem["code"]), (status, &json!(code)), "{path}: {problem}");
    }
    let long = server.post(&vec![b' '; (32 << 20) + 1]).map(|answer| answer.status);
    assert!(long.is_none_or(|status| status == 413), "{long:?}");
    assert_eq!(server.get("/readyz").status, 200);
    server.kill();
}

#[test]
fn a_stream_goes_on_after_an_id_over_restarts_without_gap_or_double() {
    let folder = Folder::new("http-stream");
    let server = start(&folder);
    let mut listener = Listener::on(server.address, "?type=tier_changed", None);
    posted(server.post(book().as_bytes()));
    // Down to a call and up again, many times.
    let swing = |n: u32| quote(n, if n.is_multiple_of(2) { "6.4" } else { "10" });
    let mut told = Vec::new();
    for n in 0..10 {
        posted(server.post(swing(n).as_bytes()));
        told.push(listener.next_told().expect("a change of tier"));
    }
    server.kill();
    let server = start(&folder);
    for n in 10..20 {
        posted(server.post(swing(n).as_bytes()));
    }
    // One that heard the first three, and one that heard them all.
    for heard in [3, 10] {
        let mut late =
            Listener::on(server.address, "?account=A1&type=tier_changed", Some(&told[heard - 1].0));
        let rest: Vec<_> = (heard..20).map(|_| late.next_told().expect("a change of tier")).collect();
        assert_eq!(rest[..10 - heard], told[heard..], "from the log");
        let id = |json: &str| serde_json::from_str::<Value>(json).expect("an effect")["id"].clone();
        let ids: Vec<Value> = rest.iter().map(|(_, _, json)| id(json)).collect();
        let counted: Vec<Value> =
            (heard + 1..=20).map(|count| json!(format!("tier_changed/A1/{count}"))).collect();
        assert_eq!(ids, counted);
        posted(server.post(quote(20 + heard as u32, if heard == 3 { "6.4" } else { "10" }).as_bytes()));
        assert!(late.next_told().is_some(), "and goes on live");
    }
    server.kill();
}

/// One client sends half a head, one half a body, one never reads its stream: each is cut off, and nobody
/// else waits for them.
#[test]
fn clients_that_hold_on_are_cut_off() {
    let folder = Folder::new("http-slow");
    let server = Server::start(&folder.0, &["--longest", "2"]).expect("a server");
    posted(server.post(book().as_bytes()));
    let connect = |said: &[u8]| {
        let mut socket = TcpStream::connect(server.address).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        socket.write_all(said).expect("said");
        socket
    };
    let mut half_a_head = connect(b"GET /v1/summary HTTP/1.1\r\nhost: te");
    let mut half_a_body = connect(b"POST /v1/events HTTP/1.1\r\nhost: test\r\ncontent-length: 1000\r\n\r\n{");
    let stuck = connect(b"GET /v1/stream HTTP/1.1\r\nhost: test\r\n\r\n");
    let mut listener = Listener::on(server.address, "?type=tier_changed", None);
    // More than the buffers of a socket hold: each event tells of one refusal of 600 bytes.
    let long = "x".repeat(500);
    let refused = |n: u32| {
        (0..2_000)
            .map(|k| {
                event(
                    "cash",
                    &format!("{long}-{n}-{k}"),
                    MORNING,
                    &json!({"account": "A9",
            "amount": "1", "reason": "deposit"}),
                )
            })
            .collect::<String>()
    };
    for n in 0..20 {
        posted(server.post(refused(n).as_bytes()));
    }
    posted(server.post(quote(1, "6.4").as_bytes()));
    assert!(listener.next_told().is_some(), "who listens hears at once");
    let mut said = String::new();
    half_a_body.read_to_string(&mut said).expect("an end");
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    said.clear();
    half_a_head.read_to_string(&mut said).expect("an end");
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    let gauge = || {
        let text = String::from_utf8(server.get("/metrics").body).expect("text");
        let line = text.lines().find(|line| line.starts_with("plimsoll_stream_clients "));
        line.expect("the gauge").to_owned()
    };
    let patience = Instant::now() + Duration::from_secs(20);
    while gauge() != "plimsoll_stream_clients 1" {
        assert!(Instant::now() < patience, "{}", gauge());
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(stuck);
    server.kill();
}

#[test]
fn a_second_process_and_a_directory_without_permission_are_named() {
    let folder = Folder::new("http-second");
    let server = start(&folder);
    let second = Server::start(&folder.0, &[]).expect_err("refused");
    assert_eq!(second.0, Some(10), "{}", second.1);
    assert!(second.1.contains("another process"), "{}", second.1);
    server.kill();
    let file = folder.join("file");
    std::fs::write(&file, b"x").expect("written");
    let under = Server::start(&file.join("data"), &[]).expect_err("refused");
    assert!(under.0 == Some(13) || under.0 == Some(11), "{under:?}");
}

#[test]
fn others_than_this_machine_need_a_key() {
    let folder = Folder::new("http-key");
    std::fs::create_dir_all(&folder.0).expect("a folder");
    let key = folder.join("key");
    std::fs::write(&key, "0123456789abcdef0123\n").expect("written");
    let data = folder.join("data");
    let refused = Server::start(&data, &["--listen", "0.0.0.0:0"]).expect_err("refused");
    assert!(refused.1.contains("--key-file"), "{refused:?}");
    let server = Server::start(&data, &["--key-file", key.to_str().expect("text")]).expect("a server");
    let status = |head: &str| server.request("GET", "/v1/summary", head, b"").map(|answer| answer.status);
    assert_eq!(status(""), Some(401));
    assert_eq!(status("authorization: Bearer 0123456789abcdef0124\r\n"), Some(401));
    assert_eq!(status("authorization: Bearer 0123456789abcdef0123\r\n"), Some(200));
    assert_eq!(server.get("/livez").status, 200);
    server.kill();
}

#[test]
fn a_policy_file_becomes_an_event_where_another_is_in_force() {
    let folder = Folder::new("http-policy");
    std::fs::create_dir_all(&folder.0).expect("a folder");
    let (policy, data) = (folder.join("policy.toml"), folder.join("data"));
    std::fs::write(&policy, "[lines]\nwatch = \"2.10\"\n").expect("written");
    let with = ["--policy", policy.to_str().expect("text")];
    let server = Server::start(&data, &with).expect("a server");
    posted(server.post(book().as_bytes()));
    assert_eq!(server.get("/v1/accounts/A1").json()["account"]["tier"], "watch");
    let epoch = server.get("/v1/summary").json()["epoch"].clone();
    server.kill();
    let server = Server::start(&data, &with).expect("a server");
    assert_eq!(server.get("/v1/summary").json()["epoch"], epoch, "the same policy is no event");
    server.kill();
    std::fs::write(&policy, "[lines]\nwatch = \"0.90\"\n").expect("written");
    let refused = Server::start(&data, &with).expect_err("refused");
    assert_eq!(refused.0, Some(1), "{}", refused.1);
}
