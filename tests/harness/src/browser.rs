//! Debian's Chromium as a process, driven over the pipe of its DevTools protocol: no driver, no sockets.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    calls: u64,
    session: Option<String>,
    complaints: Vec<String>,
}

impl Browser {
    /// Starts one with a profile in a folder; why not, where there is none.
    ///
    /// # Errors
    /// What is missing.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start(profile: &Path) -> Result<Self, &'static str> {
        let chromium = Path::new("/usr/bin/chromium");
        if !chromium.exists() {
            return Err("there is no Chromium; scripts/lib/browser installs it");
        }
        // The browser reads calls from descriptor 3 and writes to 4. It shows our own page alone: no sandbox,
        // which a container would refuse it.
        let mut child = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#])
            .arg(chromium)
            .args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"])
            .args(["--no-first-run", "--disable-dev-shm-usage", "--lang=en-US", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let (to, out) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let (heard, from) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(out).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("JSON");
                // A test that is over listens no more.
                let _ = heard.send(message);
            }
        });
        let mut browser = Browser { child, to, from, calls: 0, session: None, complaints: Vec::new() };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", &attach)["sessionId"].clone();
        browser.session = session.as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Ok(browser)
    }

    /// Calls a method of the protocol and gives its result.
    ///
    /// # Panics
    /// Where it is refused, or not answered in time.
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let mut call = json!({"id": self.calls, "method": method, "params": params});
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{call}\0").as_bytes()).expect("a browser that listens");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut message = self.from.recv_timeout(left).unwrap_or_else(|_| panic!("{method}: no answer"));
            if message["id"] == self.calls {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].take();
            }
            self.hear(&message);
        }
    }

    /// Keeps what the page should not have caused.
    fn hear(&mut self, message: &Value) {
        let params = &message["params"];
        let complaint = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => &params["exceptionDetails"],
            Some("Runtime.consoleAPICalled") => params,
            Some("Log.entryAdded") => &params["entry"],
            _ => return,
        };
        self.complaints.push(complaint.to_string());
    }

    /// Exceptions, words on the console, violations of the policy, failed requests: since the last time.
    pub fn complaints(&mut self) -> Vec<String> {
        // What was caused before this call has been heard with its answer.
        self.value("0");
        std::mem::take(&mut self.complaints)
    }

    /// Opens an address.
    pub fn open(&mut self, address: &str) {
        self.call("Page.navigate", &json!({"url": address}));
    }

    /// The value of an expression in the page.
    ///
    /// # Panics
    /// Where it throws.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", &asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// Waits until an expression holds in the page.
    ///
    /// # Panics
    /// Where it does not in time.
    pub fn until(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        // The page may still be on its way.
        let guarded = format!("(() => {{ try {{ return !!({expression}) }} catch {{ return false }} }})()");
        while self.value(&guarded) != true {
            if Instant::now() > deadline {
                let shown = self.value("document.body.innerText");
                panic!("never: {expression}\n{}\n{:?}", shown.as_str().unwrap_or_default(), self.complaints);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses what a selector finds, as a mouse does.
    ///
    /// # Panics
    /// Where nothing is there.
    pub fn press(&mut self, selector: &str) {
        self.until(&format!("document.querySelector({selector:?})"));
        let place = self.value(&format!(
            "(() => {{
                const found = document.querySelector({selector:?});
                found.scrollIntoView({{ block: 'center' }});
                const {{ x, y, width, height }} = found.getBoundingClientRect();
                return [x + width / 2, y + height / 2];
            }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let mouse =
                json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", &mouse);
        }
    }

    /// Types a text where the focus is, and Enter.
    pub fn type_in(&mut self, text: &str) {
        self.call("Input.insertText", &json!({"text": text}));
        self.key("Enter", "\r", 13);
    }

    /// Presses a key.
    pub fn key(&mut self, name: &str, text: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let key =
                json!({"type": kind, "key": name, "code": name, "text": text, "windowsVirtualKeyCode": code});
            self.call("Input.dispatchKeyEvent", &key);
        }
    }

    /// The size of the window, and whether it is dark.
    pub fn dress(&mut self, width: u32, height: u32, scheme: &str) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", &media);
    }

    /// What is seen, as PNG, into a file.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn picture(&mut self, file: &Path) {
        let taken = self.call("Page.captureScreenshot", &json!({"format": "png"}));
        std::fs::write(file, unbase64(taken["data"].as_str().expect("data"))).expect("written");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unbase64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<usize> =
        text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte)).collect();
    let four = |four: &[usize]| {
        let bits = (0..4).fold(0, |bits, at| bits << 6 | four.get(at).copied().unwrap_or(0) as u32);
        bits.to_be_bytes()[1..four.len()].to_vec()
    };
    digits.chunks(4).flat_map(four).collect()
}
