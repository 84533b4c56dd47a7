// The live page: one picture of the book, fed by the stream. Texts enter as text, never as markup, and
// figures stay the decimal texts that the service wrote; floats only place points in drawings.

const TIERS = ["none", "normal", "watch", "warning", "call", "immediate", "insolvent"];
const BAD = TIERS.slice(2);
const MOST = { newest: 50, worst: 20, rows: 200, day: 1_000 };
const MS = {
  frame: 200, worst: 3_000, sample: 10_000, whole: 60_000, old: 60_000, quiet: 45_000, retry: 500, retry_most: 15_000,
};

const WORDS = {
  subtitle: ["Margin financing, live", "融资融券实时风险"], account_id: ["Account", "账户号"], open: ["Open", "打开"],
  tiers: ["Accounts by tier", "各档账户数"], over_day: ["Watch or worse over the day", "当日低于关注线的账户数"],
  health: ["Health of data", "数据健康"], worst: ["Worst accounts", "维持担保比例最低的账户"], newest: ["Newest warnings", "最新预警"],
  no_worst: ["No account at watch or worse", "没有低于关注线的账户"], no_newest: ["No warnings yet", "暂无预警"],
  account: ["Account", "账户"], tier: ["Tier", "档位"], ratio: ["Maintenance ratio", "维持担保比例"],
  assets: ["Assets", "担保资产"], debts: ["Debts", "负债"], customer: ["Customer", "客户"], close: ["Close", "关闭"],
  key_title: ["Access key", "访问密钥"],
  key_why: ["The service asks for a key. It is kept until this tab closes.", "服务需要密钥；仅在此标签页关闭前保存。"],
  none: ["No debt", "无负债"], normal: ["Normal", "正常"], watch: ["Watch", "关注"], warning: ["Warning", "预警"],
  call: ["Call", "追保"], immediate: ["Immediate", "即时平仓"], insolvent: ["Insolvent", "穿仓"], since: ["today", "较日初"],
  now: ["now", "现在"], live: ["Live", "实时"], connecting: ["Connecting…", "连接中…"], lost: ["Connection lost", "连接中断"],
  picture: ["picture {} old", "画面为{}前"], keyed: ["Key needed", "需要密钥"], epoch: ["Epoch", "批次"],
  as_of: ["as of", "截至"], quotes_age: ["Newest quote", "最新行情"], mark_age: ["Oldest mark in use", "最旧估值行情"],
  unmarked: ["Securities without a mark", "无估值证券"],
  events_per_s: ["Events per second", "每秒事件"], commit: ["Commit, p99", "落盘耗时 p99"], accounts: ["Accounts", "账户数"],
  margin_call: ["Margin call", "追保通知"], until: ["until", "期限"], adjusted: ["Adjusted ratio", "折后担保比例"],
  available: ["Available margin", "可用保证金"], withdrawable: ["Withdrawable", "可提取"], cash: ["Cash", "资金"],
  receivables: ["Receivables", "应收"], long_value: ["Securities held", "证券市值"], other: ["Other collateral", "其他担保物"],
  principal: ["Financing principal", "融资本金"], short_value: ["Securities owed", "融券市值"],
  interest: ["Interest and fees", "利息费用"], free_margin: ["Free shares × haircut", "可充抵证券 × 折算率"],
  profit: ["Gains and losses", "浮动盈亏"], reserved: ["Reserved by contracts", "合约占用"],
  frozen: ["Frozen by orders", "委托冻结"], holdings: ["Holdings", "持仓"], contracts: ["Contracts", "合约"],
  breaches: ["Breach prices", "平仓价"], lines: ["Lines", "各线"], exits: ["Ways back to", "恢复至"],
  refused: ["Refused acts", "受限操作"], nothing: ["none", "无"], security: ["Security", "证券"],
  quantity: ["Quantity", "数量"], tied: ["Tied", "合约占用"], mark: ["Mark", "估值价"], quoted_at: ["Quoted", "行情时间"],
  haircut: ["Haircut", "折算率"], value: ["Value", "市值"], margin: ["Margin", "折算保证金"], contract: ["Contract", "合约"],
  side: ["Side", "方向"], financing: ["Financing", "融资"], short: ["Short", "融券"], amount: ["Amount", "金额"],
  rate: ["Rate", "利率"], margin_ratio: ["Margin ratio", "保证金比例"], opened: ["Opened", "开仓日"], due: ["Due", "到期日"],
  line: ["Line", "线"], price: ["Price", "价格"], on: ["On", "触发"], fall: ["fall", "下跌"], rise: ["rise", "上涨"],
  limit_days: ["Limit days", "涨跌停天数"], more: ["more", "条未显示"], unknown: ["No such account", "没有这个账户"],
  free_line: ["Withdrawal", "提取线"], watch_line: ["Watch", "关注线"], warning_line: ["Warning", "警戒线"],
  call_line: ["Call", "追保线"], immediate_line: ["Immediate", "平仓线"], restore_call_line: ["Call met", "追保解除线"],
  restore_sale_line: ["Sale restores", "平仓恢复线"], recovery_band_line: ["Recovery band", "恢复带"],
  add: ["Add collateral", "追加担保物"], repay: ["Repay", "还款"], repay_own: ["Repay own cash", "直接还款"],
  return_own: ["Return shares", "现券还券"], sell: ["Sell and repay", "卖券还款"], cover: ["Buy to cover", "买券还券"],
  sell_to_cover: ["Sell to cover", "卖券买券还券"], shorting: ["Shorting", "融券卖出"],
  collateral_buy: ["Buy collateral", "担保品买入"], withdraw: ["Withdraw", "提取资金"],
  transfer_out: ["Transfer out", "担保物转出"], extend: ["Extend", "展期"],
  is_suspect: ["suspect: a fact was refused", "存疑：有事实被拒"], calendar: ["calendar", "日历"], policy: ["policy", "规则"],
  opening: ["opening", "期初"], transfer: ["transfer", "划转"], fill: ["fill", "成交"],
  other_collateral: ["other collateral", "其他担保物"], corporate_action: ["corporate action", "公司行为"],
  band: ["band", "恢复带"],
};
let chinese = (localStorage.getItem("plimsoll.language") ?? navigator.language).startsWith("zh");
const t = (word) => WORDS[word]?.[chinese ? 1 : 0] ?? word;

const $ = (id) => document.getElementById(id);
function el(tag, kind, ...inside) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.append(...inside.map((one) => one ?? "—"));
  return made;
}
function draw(tag, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

/** A decimal text for people: the point moved, cut (never rounded up over a line), thousands parted. */
function decimal(text, least = 2, most = 8, move = 0) {
  if (text == null) return "—";
  const [, sign, whole, part = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(text));
  const digits = whole + part.padEnd(move + least, "0");
  const point = whole.length + move;
  let decimals = digits.slice(point, point + most);
  while (decimals.length > least && decimals.endsWith("0")) decimals = decimals.slice(0, -1);
  const front = digits.slice(0, point).replace(/^0+(?=\d)/, "").replace(/\B(?=(\d{3})+$)/g, ",");
  return (sign && "−") + front + (decimals && "." + decimals);
}
const percent = (text, least = 0, most = 6) => (text == null ? "—" : decimal(text, least, most, 2) + "%");
const count = (number) => (number == null ? "—" : decimal(number, 0));
// Before the first epoch the clock stands before all years.
const time = (clock) => (/^\d{4}-/.test(clock) ? clock.slice(11, 19) : "—");
const when = (clock) => clock?.slice(5, 19).replace("T", " ") ?? "—";
function age(ms) {
  if (ms == null) return "—";
  const s = Math.max(0, Math.floor(ms / 1000));
  const [value, unit] = s < 120 ? [s, "second"] : s < 7200 ? [Math.floor(s / 60), "minute"]
    : s < 172800 ? [Math.floor(s / 3600), "hour"] : [Math.floor(s / 86400), "day"];
  const style = { style: "unit", unit, unitDisplay: "short" };
  return new Intl.NumberFormat(chinese ? "zh-CN" : "en", style).format(value);
}
/** The exact sum of decimal texts of one scale, the later ones taken away. */
function sum(add, take = []) {
  const scale = (add[0].split(".")[1] ?? "").length;
  const units = (text) => {
    const [whole, part = ""] = text.split(".");
    return BigInt(whole + part.padEnd(scale, "0"));
  };
  const all = add.reduce((all, one) => all + units(one), 0n) - take.reduce((all, one) => all + units(one), 0n);
  const digits = String(all < 0n ? -all : all).padStart(scale + 1, "0");
  return (all < 0n ? "-" : "") + digits.slice(0, digits.length - scale) + "." + digits.slice(digits.length - scale);
}

// What is shown, and how fresh it is.
const now = { summary: null, taken: 0, worst: null, newest: [], account: null, state: "connecting", heard: 0, at: null };

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
/** Work that is asked for often and done at once, but never twice at a time, nor twice within `ms`. */
function atMost(ms, work) {
  let running = false, due = false;
  return async () => {
    due = true;
    if (running) return;
    running = true;
    while (due) {
      due = false;
      // A lost connection shows in the state; the list keeps its own "as of".
      await work().catch(() => {});
      await pause(ms);
    }
    running = false;
  };
}

const NO_KEY = new Error("no key");
async function ask(path, more = {}) {
  const key = sessionStorage.getItem("plimsoll.key");
  const headers = { ...more.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  const answer = await fetch(path, { ...more, headers, cache: "no-store" });
  if (answer.status === 401) throw NO_KEY;
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`, { cause: answer.status });
  return answer;
}
const get = async (path) => (await ask(path, { signal: AbortSignal.timeout(20_000) })).json();

/** Server-sent events out of a body, with a call for whatever was heard. */
async function read(body, heard, take) {
  let rest = "", event = {};
  for (const reader = body.pipeThrough(new TextDecoderStream()).getReader(); ;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const [, field, text] = /^(\w*): ?(.*)$/.exec(line.trimEnd()) ?? [];
      if (field) event[field] = text;
      else if (!line.trim() && event.data) { take(event.event, JSON.parse(event.data)); event = {}; }
    }
  }
}

/** Keeps the picture: the whole of it, then the stream from the epoch it is of; again whenever it breaks. */
async function live() {
  for (let fails = 0; ;) {
    const breaking = new AbortController();
    let quiet;
    const heard = () => {
      now.heard = Date.now();
      fails = 0;
      clearTimeout(quiet);
      quiet = setTimeout(() => breaking.abort(), MS.quiet);
    };
    try {
      const whole = await get("v1/summary");
      // Everything of that epoch is in the picture: go on after the last place it can have.
      const after = whole.epoch > 0 ? { "Last-Event-ID": `${whole.epoch}-999999999` } : {};
      quiet = setTimeout(() => breaking.abort(), MS.quiet);
      const types = "tier_changed,call_issued,summary";
      const stream = await ask(`v1/stream?type=${types}`, { headers: after, signal: breaking.signal });
      now.newest = whole.newest.slice(0, MOST.newest);
      takeSummary(whole);
      now.heard = Date.now();
      show("live");
      await read(stream.body, heard, (kind, data) => (kind === "summary" ? takeSummary(data) : takeEffect(data)));
    } catch (cause) {
      if (cause === NO_KEY) await askForKey();
    }
    clearTimeout(quiet);
    breaking.abort();
    show("lost");
    await pause(Math.min(MS.retry * 2 ** fails++, MS.retry_most) * (0.5 + Math.random() / 2));
  }
}

function takeSummary(summary) {
  const was = now.summary;
  now.summary = { day: [], ...was, ...summary };
  const { day, clock } = now.summary;
  // Until the whole day is fetched again, what was shown stays as a sample of it.
  const recent = Date.parse(clock) - Date.parse(day.at(-1)?.clock) < MS.sample;
  if (was && !summary.day && !recent && day.length < MOST.day) day.push({ clock: was.clock, tiers: was.tiers });
  now.taken = Date.now();
  worst();
  if (now.account) account();
  paint();
}
function takeEffect(effect) {
  if (effect.type === "tier_changed" && !BAD.includes(effect.to)) return;
  now.newest.unshift({ ...effect, fresh: true });
  now.newest.length = Math.min(now.newest.length, MOST.newest);
  paint();
}
function show(state) {
  // What was never shown cannot be out of date.
  now.state = state === "lost" && !now.heard ? "connecting" : state;
  paint();
}
const worst = atMost(MS.worst, async () => {
  now.worst = await get(`v1/accounts?tier=${BAD}&order=ratio&limit=${MOST.worst}`);
  paint();
});
async function figures() {
  const id = now.account?.id;
  if (id == null) return;
  const answer = await get(`v1/accounts/${encodeURIComponent(id)}`).catch((cause) => {
    if (cause.cause === 404) return null;
    throw cause;
  });
  if (now.account?.id !== id) return;
  now.account.figures = answer;
  paintAccount();
}
const account = atMost(MS.worst, figures);

let asked = null;
function askForKey() {
  now.state = "keyed";
  paint();
  asked ??= new Promise((given) => {
    $("secret").value = "";
    $("key").showModal();
    $("key").addEventListener("close", () => {
      sessionStorage.setItem("plimsoll.key", $("secret").value.trim());
      asked = null;
      given();
    }, { once: true });
  });
  return asked;
}

// Painting: everything from `now`, at most a few times a second however much the stream brings.
let painting = 0;
function paint() {
  painting ||= setTimeout(() => { painting = 0; paintAll(); }, MS.frame);
}
function paintAll() {
  paintState();
  paintTiers();
  if (now.summary) { paintChart(); paintHealth(); paintNewest(); }
  if (now.worst) paintWorst();
  paintAccount();
}
function badge(tier) { return el("span", `badge t-${tier}`, t(tier)); }
function link(id) {
  const button = el("button", "link", id);
  button.type = "button";
  button.addEventListener("click", () => { location.hash = `account=${encodeURIComponent(id)}`; });
  return button;
}
/** Shows a list by its keys: what is known stays, with its focus; what comes is made. */
function list(body, items, key, make) {
  const known = new Map([...body.children].map((child) => [child.dataset.key, child]));
  const rows = items.map((item) => {
    const name = key(item), had = known.get(name);
    if (had) return had;
    const made = make(item);
    made.dataset.key = name;
    return made;
  });
  if (rows.length === body.children.length && rows.every((row, at) => row === body.children[at])) return;
  const focus = document.activeElement;
  body.replaceChildren(...rows);
  if (body.contains(focus)) focus.focus({ preventScroll: true });
}

function paintState() {
  document.body.className = now.state;
  const gone = t("picture").replace("{}", age(Date.now() - now.heard));
  if ($("word").textContent !== t(now.state)) $("word").textContent = t(now.state);
  $("clock").textContent = now.state === "lost" ? `· ${gone}` : now.state === "live" ? `· ${time(now.summary.clock)}` : "";
}
function paintTiers() {
  const { tiers = {}, day = [] } = now.summary ?? {};
  $("tiers").replaceChildren(...TIERS.map((tier) => {
    const change = tiers[tier] - (day[0]?.tiers[tier] ?? tiers[tier]);
    const moved = change ? [`${change > 0 ? "+" : "−"}${count(Math.abs(change))} `, el("span", "desk", t("since"))] : [];
    return el("li", `t-${tier}`, el("span", "", t(tier)), el("b", "", count(tiers[tier])), el("small", "", ...moved));
  }));
}
function paintHealth() {
  const { health, oldest_mark_age_ms: mark, accounts, epoch } = now.summary;
  const since = Date.now() - now.taken;
  const grown = (ms) => (ms == null ? null : ms + since);
  const rows = [
    ["quotes_age", age(grown(health.quotes_age_ms)), grown(health.quotes_age_ms) > MS.old],
    ["mark_age", age(grown(mark))],
    ["unmarked", count(health.unmarked), health.unmarked > 0],
    ["events_per_s", count(Math.round(health.events_per_s))],
    ["commit", health.commit_ms_p99 == null ? "—" : `${decimal(health.commit_ms_p99, 0, 1)} ms`],
    ["accounts", count(accounts)],
  ];
  const pair = ([word, text, bad]) => [el("dt", "", t(word)), el("dd", bad ? "attention" : "", text)];
  $("health").replaceChildren(...rows.flatMap(pair));
  $("epoch").textContent = `${t("epoch")} ${count(epoch)}`;
}
function paintWorst() {
  $("worst_of").textContent = `${t("as_of")} ${time(now.worst.clock)}`;
  $("no_worst").hidden = now.worst.accounts.length > 0;
  list($("worst"), now.worst.accounts, (one) => one.account, (one) => el("tr", "", el("td", "", link(one.account)),
    el("td"), el("td", "n"), el("td", "n desk"), el("td", "n desk"), el("td", "wide", one.customer)));
  now.worst.accounts.forEach((one, at) => {
    const [, tier, ratio, assets, debts] = $("worst").children[at].children;
    tier.replaceChildren(badge(one.tier));
    ratio.textContent = percent(one.ratio, 2, 2);
    assets.textContent = decimal(one.assets);
    debts.textContent = decimal(one.debts);
  });
}
function paintNewest() {
  $("no_newest").hidden = now.newest.length > 0;
  list($("newest"), now.newest, (effect) => effect.id + chinese, (effect) => {
    const change = effect.type === "tier_changed";
    const { cause } = effect;
    const why = change
      ? [percent(effect.ratio, 2, 2), `← ${t(effect.from)}`, cause && `${t(cause.kind)} ${cause.key ?? ""}`,
        cause?.amount && decimal(cause.amount, 2, 2)]
      : [percent(effect.restore), `${t("until")} ${when(effect.deadline)}`];
    const what = change ? badge(effect.to) : el("span", "badge t-call", t("margin_call"));
    return el("li", effect.fresh ? "new" : "", el("time", "", time(effect.at)), link(effect.account), what,
      el("small", "", why.filter(Boolean).join(" · ")));
  });
  for (const effect of now.newest) effect.fresh = false;
}

/** The day as areas over one another, the worst at the bottom; `now.at` is the sample that is read. */
function paintChart() {
  const chart = $("chart");
  const dated = [...now.summary.day, now.summary].map(({ clock, tiers }) => ({ clock, tiers, ms: Date.parse(clock) }));
  const day = dated.filter((one) => one.ms > 0);
  if (!day.length) return;
  const [w, h, left, low] = [chart.clientWidth, chart.clientHeight, 44, 20];
  const [from, to] = [day[0].ms, Math.max(day.at(-1).ms, day[0].ms + 60_000)];
  const bad = (one) => BAD.reduce((all, tier) => all + one.tiers[tier], 0);
  const most = Math.max(4, ...day.map(bad));
  const round = 10 ** Math.floor(Math.log10(most));
  const top = [1, 2, 4, 6, 8, 10].map((n) => n * round).find((n) => n >= most);
  const x = (ms) => left + ((ms - from) / (to - from)) * (w - left - 2);
  const y = (n) => h - low - (n / top) * (h - low - 8);
  const parts = [];
  for (const n of [0, top / 2, top]) {
    parts.push(draw("path", { class: "grid", d: `M${left} ${y(n)}H${w}` }));
    parts.push(draw("text", { x: left - 6, y: y(n) + 4, "text-anchor": "end" }, count(n)));
  }
  const steps = [1, 5, 15, 30, 60, 120, 360, 1440].map((minutes) => minutes * 60_000);
  const step = steps.find((ms) => (to - from) / ms <= w / 90) ?? to - from;
  for (let ms = Math.ceil(from / step) * step; ms <= to; ms += step) {
    const text = new Date(ms + 8 * 3_600_000).toISOString().slice(11, 16);
    const anchor = x(ms) > w - 20 ? "end" : "middle";
    parts.push(draw("text", { x: x(ms), y: h - 4, "text-anchor": anchor }, text));
  }
  let under = day.map(() => 0);
  for (const tier of [...BAD].reverse()) {
    const over = day.map((one, at) => under[at] + one.tiers[tier]);
    const along = (values) => day.map((one, at) => `${x(one.ms).toFixed(1)} ${y(values[at]).toFixed(1)}`);
    const edge = [...along(over), ...along(under).reverse()].join("L");
    parts.push(draw("path", { class: `area t-${tier}`, d: `M${edge}Z` }));
    under = over;
  }
  const at = now.at == null ? day.at(-1) : day[Math.max(0, Math.min(now.at, day.length - 1))];
  if (now.at != null) parts.push(draw("path", { class: "at", d: `M${x(at.ms)} 4V${h - low}` }));
  const words = BAD.map((tier) => `${t(tier)} ${count(at.tiers[tier])}`).join(" · ");
  $("read").textContent = `${now.at == null ? t("now") : time(at.clock)}: ${words}`;
  chart.setAttribute("aria-label", `${t("over_day")}. ${$("read").textContent}`);
  chart.replaceChildren(...parts);
  const far = (i, px) => Math.abs(x(day[i].ms) - px);
  chart.nearest = (px) => day.reduce((best, _, i) => (far(i, px) < far(best, px) ? i : best), 0);
  chart.last = day.length - 1;
}

function paintAccount() {
  const dialog = $("account");
  if (!now.account) {
    if (dialog.open) dialog.close();
    return;
  }
  const { id, figures } = now.account;
  if (!dialog.open) dialog.showModal();
  const state = figures?.account;
  const { clock, oldest_mark_age_ms: mark } = figures ?? {};
  const fresh = state && `${state.customer} · ${t("as_of")} ${time(clock)} · ${t("mark_age")} ${age(mark)}`;
  const head = now.state === "lost" ? $("state").textContent : fresh ?? "";
  $("account_name").replaceChildren(id, state ? badge(state.tier) : "", el("small", "", head));
  if (figures === undefined) return;
  // What has not changed stays as it is, with its scrolling and what is marked in it.
  const shown = JSON.stringify([chinese, { ...figures, epoch: 0, clock: 0, oldest_mark_age_ms: 0 }]);
  if (shown === now.account.shown) return;
  now.account.shown = shown;
  $("figures").replaceChildren(...(state ? sections(figures) : [el("p", "empty", t("unknown"))]));
}
function sections({ account: state, suspect, restrictions, lines, holdings, contracts, breach_prices, frozen }) {
  const big = [
    ["ratio", percent(state.ratio, 2)], ["assets", decimal(state.assets)], ["debts", decimal(state.debts)],
    ["available", decimal(state.available_margin)], ["withdrawable", decimal(state.withdrawable)],
    ["adjusted", percent(state.adjusted_ratio, 2)],
  ];
  const exits = Object.entries(state.cure ?? {}).filter(([exit, value]) => exit !== "restore" && value);
  return [
    pairs(big.map(([word, text]) => [t(word), text])),
    state.ratio ? gauge(Number(state.ratio), lines) : "",
    suspect ? el("p", "badge t-call", t("is_suspect")) : "",
    el("h3", "", t("refused")), restrictions.map(t).join(" · ") || t("nothing"),
    el("h3", "", `${t("assets")} · ${t("debts")} · ${t("available")}`), terms(state, holdings, contracts, frozen),
    ...table("holdings", holdings, [
      ["security"], ["quantity", count], ["tied", count], ["mark", decimal], ["haircut", percent], ["value", decimal],
      ["margin", decimal], ["quoted_at", when],
    ]),
    ...table("contracts", contracts, [
      ["contract"], ["side", t], ["security"], ["quantity", count], ["amount", decimal], ["interest", decimal],
      ["rate", percent], ["profit", decimal], ["reserved", decimal], ["margin_ratio", percent], ["mark", decimal],
      ["quoted_at", when], ["opened"], ["due"],
    ]),
    ...table("breaches", breach_prices, [
      ["security"], ["tier", badge], ["line", percent], ["price", decimal], ["on", t], ["limit_days", count],
    ]),
    ...(exits.length ? [el("h3", "", `${t("exits")} ${percent(state.cure.restore)}`)] : []),
    pairs(exits.map(([exit, value]) => [t(exit), decimal(value)])),
    el("h3", "", t("lines")), pairs(Object.entries(lines).map(([line, value]) => [t(`${line}_line`), percent(value)])),
  ];
}
/** What assets, debts and available margin are made of. */
function terms(state, holdings, contracts, frozen) {
  // Other collateral is what else the assets are made of: the state line has no field for it.
  const other = state.assets && sum([state.assets], [state.cash, state.receivables, state.long_value]);
  const total = (rows, field) => sum(["0.00000000", ...rows.map((row) => row[field])]);
  const column = (...rows) => el("dl", "", ...rows.flatMap(([word, text], at) => {
    const kind = at === rows.length - 1 ? "sum" : "";
    return [el("dt", kind, t(word)), el("dd", kind, decimal(text))];
  }));
  return el("div", "terms",
    column(["cash", state.cash], ["receivables", state.receivables], ["long_value", state.long_value], ["other", other],
      ["assets", state.assets]),
    column(["principal", state.principal], ["short_value", state.short_value], ["interest", state.interest],
      ["debts", state.debts]),
    column(["cash", state.cash], ["free_margin", total(holdings, "margin")], ["profit", total(contracts, "profit")],
      ["reserved", sum(["0.00000000"], [total(contracts, "reserved")])], ["frozen", sum(["0.00000000"], [frozen])],
      ["available", state.available_margin]));
}
function pairs(rows) {
  return el("div", "big", ...rows.map(([word, text]) => el("div", "", word, el("b", "", text))));
}
function table(word, rows, columns) {
  if (!rows.length) return [];
  const right = (shown) => (shown === count || shown === decimal || shown === percent || shown === when ? "n" : "");
  const head = el("tr", "", ...columns.map(([field, shown]) => el("th", right(shown), t(field))));
  const body = rows.slice(0, MOST.rows).map((row) =>
    el("tr", "", ...columns.map(([field, shown]) => el("td", right(shown), shown ? shown(row[field]) : row[field]))));
  const more = rows.length > MOST.rows ? [el("p", "empty", `${count(rows.length - MOST.rows)} ${t("more")}`)] : [];
  const whole = el("table", "", el("thead", "", head), el("tbody", "", ...body));
  return [el("h3", "", t(word)), el("div", "scroll", whole), ...more];
}
/** The ratio against the account's lines. */
function gauge(ratio, lines) {
  const [w, low, high] = [$("figures").clientWidth - 44, 0.8, Math.max(2.2, Math.min(ratio + 0.2, 4))];
  const x = (value) => ((Math.max(low, Math.min(value, high)) - low) / (high - low)) * w;
  const made = draw("svg", { class: "gauge", viewBox: `0 0 ${w} 62`, "aria-hidden": "true" });
  let from = low;
  for (const tier of [...BAD].reverse().concat("normal")) {
    const line = tier === "insolvent" ? "1.00" : lines[tier];
    const to = tier === "normal" ? high : Number(line ?? from);
    const width = Math.max(0, x(to) - x(from) - 2);
    made.append(draw("rect", { class: `t-${tier}`, x: x(from), y: 20, width, height: 14, rx: 3 }));
    if (line) made.append(draw("text", { x: x(to), y: 50, "text-anchor": "middle" }, percent(line)));
    from = to;
  }
  made.append(draw("path", { d: `M${x(ratio)} 18l-6 -11h12z` }));
  return made;
}

// What people do.
function speak() {
  document.documentElement.lang = chinese ? "zh-CN" : "en";
  for (const one of document.querySelectorAll("[data-t]")) one.textContent = t(one.dataset.t);
  for (const one of document.querySelectorAll("[data-l]")) one.setAttribute("aria-label", t(one.dataset.l));
  for (const one of document.querySelectorAll("[data-p]")) one.placeholder = one.ariaLabel = t(one.dataset.p);
  $("language").textContent = chinese ? "English" : "中文";
  $("language").lang = chinese ? "en" : "zh-CN";
  paintAll();
}
function opened() {
  const id = new URLSearchParams(location.hash.slice(1)).get("account");
  now.account = id ? { id } : null;
  $("figures").replaceChildren();
  paintAccount();
  // Until it answers, the next summary asks again.
  if (id) figures().catch(() => {});
}
$("language").addEventListener("click", () => {
  chinese = !chinese;
  localStorage.setItem("plimsoll.language", chinese ? "zh" : "en");
  speak();
});
$("find").addEventListener("submit", (event) => {
  event.preventDefault();
  location.hash = `account=${encodeURIComponent($("wanted").value.trim())}`;
});
$("close").addEventListener("click", () => $("account").close());
$("account").addEventListener("click", (event) => { if (event.target === $("account")) $("account").close(); });
$("account").addEventListener("close", () => {
  now.account = null;
  history.replaceState(null, "", location.pathname);
});
const readAt = (at) => { now.at = at; if (now.summary) paintChart(); };
$("chart").addEventListener("pointermove", (event) => readAt($("chart").nearest?.(event.offsetX)));
$("chart").addEventListener("pointerleave", () => readAt(null));
$("chart").addEventListener("blur", () => readAt(null));
$("chart").addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  readAt(Math.max(0, Math.min((now.at ?? $("chart").last) + by, $("chart").last)));
});
addEventListener("hashchange", opened);
new ResizeObserver(paint).observe($("chart"));
setInterval(paintAll, 1_000);
// The samples of the day are the service's.
setInterval(async () => {
  const whole = now.state === "live" && await get("v1/summary").catch(() => null);
  if (whole) takeSummary(whole);
}, MS.whole);
speak();
opened();
live();
