// Something that is read from the gateway, as a "reader" or in another role of api.js, and shown: `new
// Resource("/variants", () => view.render())`, then `refresh()` once or `poll(milliseconds)`, and `shown(resource,
// (value) => html`…`)` in the template, which also shows loading and errors. It tries again by itself when the connection
// recovers, or a token is given. Call `close()` with the view.
import { html, render } from "../vendor/lit-html-3.3.3/lit-html.js";
import { get, keepToken } from "./api.js";
import * as connection from "./connection.js";
import { t } from "./i18n.js";

export class Resource {
  value = null; // the newest answer; kept, and shown, while a later call fails
  error = null; // the Problem of the last call
  reading = false; // a call is under way

  constructor(where, changed, as = "reader") {
    Object.assign(this, { where, changed, as });
    this.recovered = () => this.error && this.refresh();
    connection.events.addEventListener("recovered", this.recovered);
  }

  /** Read it now, and return a promise of the newest answer; that to an earlier call is dropped. */
  refresh() {
    this.aborter?.abort();
    this.aborter = new AbortController();
    this.reading = true;
    return (this.newest = this.#read(this.aborter.signal));
  }

  async #read(signal) {
    try {
      const value = await get(this.where, { signal, as: this.as });
      if (!signal.aborted) Object.assign(this, { value, error: null });
    } catch (error) {
      if (!signal.aborted) this.error = error;
    }
    if (!signal.aborted) {
      this.reading = false;
      this.changed();
    } else if (signal !== this.aborter.signal) await this.newest;
  }

  /** Read it now and, while the page is visible, every so many milliseconds; an answer that takes longer may come. */
  poll(milliseconds) {
    this.refresh();
    this.timer = setInterval(() => document.hidden || this.error || this.reading || this.refresh(), milliseconds);
  }

  close() {
    clearInterval(this.timer);
    this.aborter?.abort();
    connection.events.removeEventListener("recovered", this.recovered);
  }
}

/** Show `resource`: `ready(value)` when there is one, and above it what went wrong, or that it is loading. */
export function shown(resource, ready) {
  const { value, error } = resource;
  return html`
    ${error ? problem(error, () => resource.refresh()) : ""}
    ${value !== null ? ready(value) : error ? "" : html`<p class="loading" role="status">${t("state.loading")}</p>`}
  `;
}

/** Show what went wrong, field by field where the gateway says so; offer `again` if given, with a token where that lacks. */
export function problem(error, again) {
  return html`
    <div class="problem" role="alert">
      <p><strong>${error.status ? error.title : t("state.unreachable")}</strong> ${error.detail ?? ""}</p>
      ${error.errors?.length > 1 ? html`<ul>${error.errors.map(fault)}</ul>` : ""}
      ${again && [401, 403].includes(error.status) ? tokenForm(error.as, again) : ""}
      ${again && mayPass(error) ? html`<button type="button" @click=${again}>${t("state.again")}</button>` : ""}
    </div>
  `;
}

const mayPass = ({ status }) => status === 0 || status === 429 || status >= 500;
const fault = ({ pointer, detail }) => html`<li><code>${pointer}</code> ${detail}</li>`;

/** Show a form that keeps the token of a role, then calls `again`. */
export function tokenForm(as, again) {
  const submitted = (event) => {
    event.preventDefault();
    keepToken(as, event.target.elements.token.value.trim());
    connection.retry(); // whatever else lacked it
    again();
  };
  return html`
    <form @submit=${submitted}>
      <label>${t(`state.token.${as}`)} <input name="token" type="password" autocomplete="off" required></label>
      <button>${t("state.token.use")}</button>
      <p class="note">${t("state.token.kept")}</p>
    </form>
  `;
}

/** Return a view that tells that its module could not be loaded: its open(). The page is loaded anew when it can be. */
export function unloaded(place) {
  const reload = () => location.reload(); // a browser may hold on to a module that failed until then
  connection.events.addEventListener("recovered", reload);
  connection.failed();
  return {
    render: () => render(problem({ status: 0 }, reload), place),
    follow() {},
    close: () => connection.events.removeEventListener("recovered", reload),
  };
}
