// Where we are: the part of the address behind "#/".
import { signal } from "@preact/signals";

function read(): string[] {
  return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
}

export const route = signal<string[]>(read());

export function listen(): void {
  addEventListener("hashchange", () => {
    route.value = read();
  });
}

export function go(...parts: string[]): void {
  location.hash = href(...parts);
}

export function href(...parts: string[]): string {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}
