// The live stream: one WebSocket, opened again with a growing pause when it breaks.
import type { Frame } from "../api";

export interface StreamEvents {
  frame(frame: Frame): void;
  open(isOpen: boolean): void;
  /** The socket closed before it ever opened. */
  refused(): void;
}

const PAUSE_FIRST_MS = 500;
const PAUSE_MAX_MS = 8000;
/** A socket that says nothing for this long is dead, whatever TCP believes. */
const SILENCE_MS = 10_000;

export class Stream {
  private socket: WebSocket | null = null;
  private pause = PAUSE_FIRST_MS;
  private timer: number | undefined;
  private watch: number | undefined;
  private heard = 0;

  constructor(private readonly events: StreamEvents) {}

  start(): void {
    this.stop();
    this.connect();
    this.watch = window.setInterval(() => {
      if (this.socket?.readyState === WebSocket.OPEN && performance.now() - this.heard > SILENCE_MS) {
        this.socket.close();
      }
    }, 1000);
  }

  stop(): void {
    window.clearTimeout(this.timer);
    window.clearInterval(this.watch);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.events.open(false);
  }

  private connect(): void {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/stream`);
    this.socket = socket;
    let opened = false;
    this.heard = performance.now();
    socket.onopen = () => {
      opened = true;
      this.pause = PAUSE_FIRST_MS;
      this.events.open(true);
    };
    socket.onmessage = (message: MessageEvent<unknown>) => {
      this.heard = performance.now();
      if (socket === this.socket && typeof message.data === "string") {
        this.events.frame(JSON.parse(message.data) as Frame);
      }
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.events.open(false);
      if (!opened) this.events.refused();
      this.timer = window.setTimeout(() => this.connect(), this.pause);
      this.pause = Math.min(PAUSE_MAX_MS, this.pause * 2);
    };
  }
}
