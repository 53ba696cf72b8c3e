// What the server is asked; every answer that is not one is an Error with the server's own line.

async function answered(response) {
  if (response.ok) return response;
  let detail = response.statusText;
  try {
    detail = (await response.json()).detail;
  } catch {
    // no JSON: the status says it
  }
  throw Object.assign(new Error(typeof detail === "string" ? detail : JSON.stringify(detail)), { status: response.status });
}

async function ask(path, options) {
  return answered(await fetch(`/api/${path}`, options));
}

const sending = (method, value) => ({
  method,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});

export const server = async () => (await ask("server")).json();
export const rows = async (id, columns) => (await ask(`videos/${id}/rows?columns=${columns}`)).json();
export const edits = async (id) => (await ask(`videos/${id}/edits`)).json();
export const saveEdits = async (id, value) => (await ask(`videos/${id}/edits`, sending("PUT", value))).json();
export const analyse = async (id, options) => (await ask(`videos/${id}/analysis`, sending("POST", options))).json();
export const cancel = async (id) => (await ask(`videos/${id}/analysis`, { method: "DELETE" })).json();
export const remove = async (id, rated = false) => ask(`videos/${id}${rated ? "?rated=true" : ""}`, { method: "DELETE" });
export const address = (id, what) => `/api/videos/${id}/${what}`;

const json = async (path, options) => (await ask(path, options)).json();

/** Of the ratings of a video, and of all that are kept where its own are. */
export const ratings = {
  of: (id) => json(`videos/${id}/ratings`),
  begin: (id, asked) => json(`videos/${id}/ratings`, sending("POST", asked)),
  add: (id, samples) => json(`videos/${id}/ratings/samples`, sending("POST", samples)),
  addLeaving: (id, samples) => void fetch(`/api/videos/${id}/ratings/samples`, { ...sending("POST", samples), keepalive: true }),
  finish: (id, asked) => json(`videos/${id}/ratings/finish`, sending("POST", asked)),
  take: (id, asked) => json(`videos/${id}/ratings/imports`, sending("POST", asked)),
  remove: (id, rater, what) => json(`videos/${id}/ratings?${new URLSearchParams({ rater, what })}`, { method: "DELETE" }),
  file: (id, rater, dimension) => `/api/videos/${id}/ratings/file?${new URLSearchParams({ rater, dimension })}`,
  subject: (id, subject) => json(`videos/${id}/ratings/subject`, sending("PUT", { subject })),
  joined: (id) => json(`videos/${id}/ratings/joined`),
  archive: (id) => `/api/videos/${id}/ratings/archive`,
  together: (id) => json(`ratings?video=${id}`),
  settings: (id, choice) => json(`ratings/settings?video=${id}`, sending("PUT", choice)),
  lag: (id) => json(`ratings/lag?video=${id}`, { method: "POST" }),
};

/** Tell of all videos whenever one changes; `lost` when the server is gone, and when it is back. */
export function watch(tell, lost) {
  const source = new EventSource("/api/events");
  source.onmessage = (event) => {
    lost(false);
    tell(JSON.parse(event.data));
  };
  source.onerror = () => lost(true);
}

/** Upload a file with its progress. Returns { done: a promise, stop }. */
export function upload(file, options, progress) {
  const request = new XMLHttpRequest();
  const query = new URLSearchParams({ name: file.name, ...options });
  const done = new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => progress(event.loaded, event.total);
    request.onload = () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // no JSON: the status says it
      }
      if (request.status === 201) resolve(answer);
      else reject(new Error(answer.detail || `${file.name}: ${request.status} ${request.statusText}`));
    };
    request.onerror = () => reject(new Error(`${file.name}: the server broke it off: it is no video, or too large, or the server is gone`));
    request.onabort = () => reject(new Error(`${file.name}: stopped`));
  });
  request.open("POST", `/api/videos?${query}`);
  request.setRequestHeader("content-type", "application/octet-stream");
  request.send(file);
  return { done, stop: () => request.abort() };
}
