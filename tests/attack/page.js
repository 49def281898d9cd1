// What a page of another origin can try. Each attempt says what it read, or nothing.
async function attempt(url, how) {
  try {
    const answer = await fetch(url, { redirect: "manual", ...how });
    return answer.type === "opaque" ? "" : `${answer.status} ${await answer.text()}`;
  } catch {
    return "";
  }
}

function element(name, attributes) {
  return new Promise((resolve) => {
    const made = Object.assign(document.createElement(name), attributes);
    made.onload = () => resolve("loaded");
    made.onerror = () => resolve("");
    document.body.append(made);
  });
}

// A form needs no permission: its answer lands in a frame, and text/plain lets it say any JSON.
function form(url, body, enctype) {
  return new Promise((resolve) => {
    const frame = Object.assign(document.createElement("iframe"), { name: `f${Math.random()}` });
    document.body.append(frame);
    const made = Object.assign(document.createElement("form"), { method: "POST", action: url, enctype, target: frame.name });
    const middle = Math.max(body.indexOf("="), 0);
    const field = Object.assign(document.createElement("input"), { type: "hidden" });
    field.name = body.slice(0, middle) || "x";
    field.value = body.slice(middle + 1);
    made.append(field);
    document.body.append(made);
    frame.onload = () => {
      let read = "";
      try {
        read = frame.contentDocument.body.innerText;
      } catch {
        read = "";
      }
      resolve(read);
    };
    made.submit();
  });
}

async function attack({ method, url, body, type }) {
  const headers = type ? { "Content-Type": type } : {};
  const sent = method === "GET" ? {} : { body };
  const ways = [{ mode: "cors" }, { mode: "cors", credentials: "include" }];
  const simple = ["GET", "POST"].includes(method);
  if (simple) ways.push({ mode: "no-cors" }, { mode: "no-cors", credentials: "include", keepalive: true });
  const read = [];
  for (const way of ways) read.push(await attempt(url, { method, headers, ...sent, ...way }));
  if (method === "GET") {
    window.stolen = "";
    for (const name of ["script", "img"]) read.push(await element(name, { src: url }));
    read.push(window.stolen);
  }
  if (method === "POST") {
    read.push(await form(url, body, "text/plain"), await form(url, body, "multipart/form-data"));
    navigator.sendBeacon(url, new Blob([body], { type: "text/plain" }));
  }
  return read.filter(Boolean);
}
