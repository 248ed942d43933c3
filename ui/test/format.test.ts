import assert from "node:assert/strict";
import { test } from "node:test";
import {
  age, countdown, dateTimeOf, dayOf, duration, heldShort, heldWords, kw, minuteOf, number, pu, shortDigest, signedKw, siteDate,
  siteOffset, siteZone, timeOf, utcOf,
} from "../src/format";

test("what is not known is a question mark, never zero", () => {
  for (const f of [number, kw, signedKw, pu, duration, countdown]) {
    assert.equal(f(null), "?");
    assert.equal(f(undefined), "?");
    assert.equal(f(Number.NaN), "?");
  }
});

test("numbers have a real minus, thin groups, and no negative zero", () => {
  assert.equal(number(-1234567.5, 1), "\u22121\u202f234\u202f567.5");
  assert.equal(number(-0.2), "0");
  assert.equal(number(0), "0");
});

test("small powers keep a decimal", () => {
  assert.equal(kw(0.44), "0.4");
  assert.equal(kw(-3), "\u22123.0");
  assert.equal(kw(412.6), "413");
  assert.equal(kw(0), "0");
  assert.equal(signedKw(25), "+25");
  assert.equal(signedKw(0), "0");
});

test("voltages have three decimals", () => {
  assert.equal(pu(0.95), "0.950");
});

test("lengths of time in two units", () => {
  assert.equal(duration(42.4), "42 s");
  assert.equal(duration(185), "3 min 05 s");
  assert.equal(duration(7800), "2 h 10 min");
  assert.equal(duration(86400 * 3), "3 d");
  assert.equal(countdown(299.9), "4:59");
  assert.equal(countdown(-3), "0:00");
});

test("age is told only when it matters", () => {
  assert.equal(age(2.9), "");
  assert.equal(age(64), "1 min 04 s old");
  assert.equal(age(null), "");
});

test("times are the site's, wherever the browser is", () => {
  const before = process.env["TZ"];
  try {
    for (const zone of ["Asia/Kolkata", "America/Los_Angeles", "UTC"]) {
      process.env["TZ"] = zone;
      siteOffset.value = -5 * 3600;
      assert.equal(timeOf("2026-07-15T20:42:05Z"), "15:42:05");
      assert.equal(minuteOf("2026-07-16T03:59:59Z"), "22:59");
      assert.equal(dayOf("2026-07-16T03:59:59Z"), "Wed 15 Jul");
      assert.equal(dateTimeOf("2026-07-16T03:59:59Z"), "15 Jul 22:59:59");
      assert.equal(siteZone(), "UTC\u22125");
      const tick = siteDate(Date.UTC(2026, 6, 15, 20, 42) / 1000);
      assert.deepEqual([tick.getDate(), tick.getHours(), tick.getMinutes()], [15, 15, 42]);
      siteOffset.value = 5.5 * 3600;
      assert.equal(minuteOf("2026-07-15T20:42:05Z"), "02:12");
      assert.equal(siteZone(), "UTC+5:30");
    }
  } finally {
    if (before === undefined) delete process.env["TZ"];
    else process.env["TZ"] = before;
    siteOffset.value = null;
  }
});

test("before the site's time is known it is UTC, and says so", () => {
  assert.equal(timeOf("2026-07-15T20:42:05Z"), "20:42:05Z");
  assert.equal(timeOf("nonsense"), "?");
  assert.equal(siteZone(), "UTC");
});

test("the same moment in UTC", () => {
  assert.equal(utcOf("2026-07-14T20:35:00Z"), "2026-07-14 20:35:00 UTC");
  assert.equal(utcOf("nonsense"), "time not known");
  assert.equal(shortDigest("sha256:0123456789abcdef"), "0123456789ab");
});

test("a plan that is held says since when and how old it is", () => {
  const held = { plan: "P-1", made: "2026-07-15T20:00:00Z", is_active: true, since: "2026-07-15T20:20:00Z", reason: "late" };
  const said = heldWords(held, "2026-07-15T20:30:00Z");
  assert.match(said, /plan P-1, 30 min 00 s old and the last to pass its AC check, goes on/);
  assert.equal(heldShort(held, "2026-07-15T20:30:00Z"), "P-1 stands, 30 min 00 s old");
  assert.match(heldWords({ ...held, is_active: false }, held.since), /still waits for approval/);
  assert.match(heldWords({ ...held, plan: null, made: null }, held.since), /nothing is sent/);
});
