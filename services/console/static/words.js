// Figures and tags as people read them, and what time it is in the house.
let ahead = 0; // of this machine's clock, in ms

// The house's clock counts, not this machine's: whoever hears the house's time passes it on.
export const heard = (houseTime) => { ahead = houseTime - Date.now(); };
export const now = () => Date.now() + ahead;
export const since = (moment) => (now() - Date.parse(moment)) / 1000;
export const until = (moment) => -since(moment);

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
}

// As short as a figure must be.
export const brief = (seconds) => duration(seconds).replace(" min", "m").replace(" h", "h").replace(/ min$/, "m").replace(/(\d) s$/, seconds < 60 ? "$1 s" : "$1s");
export const count = (number) => number.toLocaleString("en");
export const percent = (share) => `${(100 * share).toFixed(share < 0.995 && share > 0 ? 1 : 0)} %`;
export const spoken = (tag) => String(tag).replaceAll("_", " ");
export const clockTime = (moment) => new Date(moment).toLocaleTimeString("en-GB");

export function dayAndTime(moment) {
  const at = new Date(moment);
  const today = at.toDateString() === new Date(now()).toDateString();
  return today ? at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
    : at.toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

// A time-ordered id differs at its end.
export const short = (id) => (id.length > 16 ? `…${id.slice(-8)}` : id);

const need = ({ skill, level }) => (level > 1 ? `${skill} ≥ ${level}` : skill);

// `public ≥ 2 and lang:it, and billing or phone, without vip`
export function requirementInWords(requirement) {
  if (!requirement) return "nothing of its own";
  const { all = [], any = [], none = [], ...more } = requirement;
  const parts = [
    all.map(need).join(" and "), any.map(need).join(" or "), none.length ? `without ${none.map(need).join(" or ")}` : "",
    ...Object.entries(more).filter(([, value]) => !isEmpty(value)).map(([name, value]) => `${spoken(name)} ${inWords(value)}`),
  ];
  return parts.filter(Boolean).join(", and ") || "anybody";
}

const SIGNS = { eq: "is", ne: "is not", in: "is one of", gt: ">", gte: "≥", lt: "<", lte: "≤", contains: "contain" };

// A rule's tree of comparisons: `reach ≥ 1000 and (language is it or topics contain billing)`
export function ruleInWords(rule, inside = false) {
  const joined = (rules, word) => {
    const words = rules.map((one) => ruleInWords(one, true)).join(` ${word} `);
    return inside && rules.length > 1 ? `(${words})` : words;
  };
  if (rule.all) return joined(rule.all, "and");
  if (rule.any) return joined(rule.any, "or");
  if (rule.not) return `not ${ruleInWords(rule.not, true)}`;
  if (rule.op === "exists") return `${rule.field} ${rule.value === false ? "is absent" : "is there"}`;
  return `${rule.field} ${SIGNS[rule.op] ?? rule.op} ${Array.isArray(rule.value) ? rule.value.join(", ") : rule.value}`;
}

export const isEmpty = (value) => value === null || value === undefined || value === "" || (typeof value === "object" && Object.keys(value).length === 0);

// Whatever a rule says, without its brackets.
export function inWords(value) {
  if (isEmpty(value)) return "–";
  if (Array.isArray(value)) return value.map(inWords).join(", ");
  if (typeof value === "object") return Object.entries(value).filter(([, one]) => !isEmpty(one)).map(([name, one]) => `${spoken(name)} ${inWords(one)}`).join("; ");
  return spoken(value);
}
