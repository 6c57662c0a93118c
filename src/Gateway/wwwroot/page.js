"use strict";
const at = id => document.getElementById(id);
const messages = [];
let key = "";
let model = "";
let running = null;

const headers = () => key ? { "Authorization": `Bearer ${key}` } : {};

function show(kind, text) {
  at("empty")?.remove();
  const turn = document.createElement("div");
  turn.className = `turn ${kind}`;
  turn.textContent = text;
  at("log").append(turn);
  at("log").scrollTop = at("log").scrollHeight;
  return turn;
}

async function refresh() {
  try {
    const health = await (await fetch("/health/ready")).json();
    at("status").classList.toggle("ready", health.status === "ready");
    at("status-text").textContent = health.reason && health.status !== "ready" ? `${health.status}: ${health.reason}` : health.status;
    const reply = await fetch("/v1/models", { headers: headers() });
    at("key-form").hidden = reply.status !== 401;
    if (reply.ok) {
      const first = (await reply.json()).data[0];
      model = first?.id ?? "";
      at("model").textContent = at("curl-model").textContent = model || "none yet";
      at("context").textContent = first ? `${first.max_model_len.toLocaleString()} tokens` : "–";
    }
  } catch {
    at("status").classList.remove("ready");
    at("status-text").textContent = "not reachable";
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    const frames = buffer.split("\n\n");
    buffer = frames.pop();
    for (const frame of frames) {
      if (frame.startsWith("data: ")) yield frame.slice(6);
    }
  }
}

async function reply(turn, signal) {
  const answer = await fetch("/v1/chat/completions", {
    method: "POST", signal, headers: { "Content-Type": "application/json", ...headers() },
    body: JSON.stringify({ model, messages, stream: true, stream_options: { include_usage: true } }),
  });
  if (!answer.ok) throw new Error((await answer.json()).error.message);
  let text = "", usage = null, finished = false;
  for await (const data of events(answer.body)) {
    if (data === "[DONE]") { finished = true; break; }
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Error(chunk.error.message);
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage ?? usage;
    turn.textContent = text;
    at("log").scrollTop = at("log").scrollHeight;
  }
  if (!finished) throw new Error("The reply broke off.");
  messages.push({ role: "assistant", content: text });
  const cache = answer.headers.get("x-hearth-cache");
  at("facts").textContent = usage ? `${usage.prompt_tokens} prompt tokens, ${usage.prompt_tokens_details.cached_tokens} of them cached`
    + ` (${cache}); ${usage.completion_tokens} generated; silo ${answer.headers.get("x-hearth-silo")}` : "";
}

async function send(text) {
  messages.push({ role: "user", content: text });
  show("user", text);
  const turn = show("assistant", "");
  running = new AbortController();
  busy(true);
  try {
    await reply(turn, running.signal);
  } catch (error) {
    messages.pop();
    if (!turn.textContent) turn.remove();
    show("error", error.name === "AbortError" ? "Stopped." : error.message);
    refresh();
  }
  running = null;
  busy(false);
  at("text").focus();
}

function busy(on) {
  at("log").setAttribute("aria-busy", on);
  at("send").hidden = on;
  at("stop").hidden = !on;
  at("new").disabled = on;
}

at("chat").addEventListener("submit", event => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (!text || running) return;
  at("text").value = "";
  send(text);
});
at("text").addEventListener("keydown", event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    at("chat").requestSubmit();
  }
});
at("stop").addEventListener("click", () => running?.abort());
at("new").addEventListener("click", () => {
  messages.length = 0;
  at("log").replaceChildren();
  at("facts").textContent = "";
  at("text").focus();
});
at("key-form").addEventListener("submit", event => {
  event.preventDefault();
  key = at("key").value.trim();
  refresh();
});
at("base").textContent = location.origin;
refresh();
setInterval(refresh, 10000);
