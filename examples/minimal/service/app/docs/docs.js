// Renders openapi.json. Everything is built from text nodes: nothing in the contract becomes markup.

const METHODS = ["get", "post", "put", "patch", "delete"];

const contract = await (await fetch("openapi.json")).json();

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function resolve(object) {
  if (!object?.$ref) return object;
  const path = object.$ref.slice(2).split("/");
  return path.reduce((at, key) => at[key.replaceAll("~1", "/").replaceAll("~0", "~")], contract);
}

function typeName(schema) {
  if (schema === undefined || schema === true) return "any";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if ("const" in schema) return JSON.stringify(schema.const);
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return options.map(typeName).join(" | ");
  if (schema.type === "array") return `${typeName(schema.items)}[]`;
  const type = [schema.type ?? "object"].flat().join(" | ");
  return schema.format ? `${type} (${schema.format})` : type;
}

function bounds(schema) {
  const words = { minimum: "≥", maximum: "≤", exclusiveMinimum: ">", exclusiveMaximum: "<",
    minLength: "length ≥", maxLength: "length ≤", pattern: "matches", default: "default" };
  return Object.entries(words)
    .filter(([key]) => key in schema)
    .map(([key, word]) => `${word} ${typeof schema[key] === "string" ? schema[key] : JSON.stringify(schema[key])}`)
    .join(", ");
}

function table(headings, rows) {
  const cells = (tag, row) => element("tr", {}, ...row.map((cell) => element(tag, {}, cell ?? "")));
  return element("table", {}, element("thead", {}, cells("th", headings)),
    element("tbody", {}, ...rows.map((row) => cells("td", row))));
}

function code(value) {
  return element("pre", {}, element("code", {}, typeof value === "string" ? value : JSON.stringify(value, null, 2)));
}

function fields(schema) {
  const whole = resolve(schema) ?? {};
  if (whole.type === "array") return fields(whole.items);
  if (!whole.properties) return null;
  const required = new Set(whole.required ?? []);
  return table(["Field", "Type", "Meaning"], Object.entries(whole.properties).map(([name, property]) => {
    const field = resolve(property);
    const meaning = [field.description, bounds(field), field.readOnly ? "read only" : ""].filter(Boolean);
    return [element("code", {}, required.has(name) ? `${name} *` : name), typeName(property), meaning.join("; ")];
  }));
}

function content(media) {
  return Object.entries(media ?? {}).flatMap(([type, body]) => {
    const examples = "example" in body ? { Example: { value: body.example } } : body.examples ?? {};
    return [
      element("p", { className: "faint" }, `${type}: ${typeName(body.schema)}`),
      fields(body.schema),
      ...Object.entries(examples).map(([name, example]) =>
        element("details", { open: true }, element("summary", {}, resolve(example).summary ?? name),
          code(resolve(example).value))),
    ];
  });
}

function parameters(found) {
  if (!found.length) return [];
  return [element("h3", {}, "Parameters"), table(["Name", "In", "Type", "Meaning"], found.map((item) => {
    const schema = resolve(item.schema) ?? {};
    const meaning = [item.description ?? schema.description, bounds(schema)].filter(Boolean).join("; ");
    return [element("code", {}, item.required ? `${item.name} *` : item.name), item.in, typeName(item.schema), meaning];
  }))];
}

function responses(found) {
  return Object.entries(found ?? {}).map(([status, reference]) => {
    const response = resolve(reference);
    const headers = Object.keys(response.headers ?? {});
    return element("details", { open: status.startsWith("2") },
      element("summary", {}, element("code", {}, status), ` ${response.description}`),
      headers.length ? element("p", { className: "faint" }, `Headers: ${headers.join(", ")}`) : null,
      ...content(response.content));
  });
}

function access(security) {
  const schemes = security.flatMap((option) => Object.keys(option));
  if (!schemes.length) return "Open to everybody";
  return `${security.some((option) => !Object.keys(option).length) ? "May sign in" : "Needs to sign in"}: ${schemes.join(" or ")}`;
}

function operation({ id, method, path, item, details }) {
  const inputs = [...(item.parameters ?? []), ...(details.parameters ?? [])].map(resolve);
  const body = resolve(details.requestBody);
  return element("section", { id },
    element("h2", {}, element("span", { className: `method ${method}` }, method.toUpperCase()), " ", element("code", {}, path)),
    element("p", {}, details.summary ?? ""),
    details.description ? element("p", { className: "faint" }, details.description) : null,
    element("p", { className: "faint" }, access(details.security ?? contract.security ?? [])),
    ...parameters(inputs),
    ...(body ? [element("h3", {}, "Body"), ...content(body.content)] : []),
    element("h3", {}, "Responses"),
    ...responses(details.responses));
}

function operations() {
  return Object.entries(contract.paths).flatMap(([path, item]) => METHODS.filter((method) => item[method]).map((method) =>
    ({ id: item[method].operationId ?? `${method}${path}`, method, path, item, details: item[method] })));
}

function navigation(all) {
  const tags = Map.groupBy
    ? Map.groupBy(all, (each) => each.details.tags?.[0] ?? "other")
    : all.reduce((map, each) => {
      const tag = each.details.tags?.[0] ?? "other";
      return map.set(tag, [...(map.get(tag) ?? []), each]);
    }, new Map());
  return [...tags].flatMap(([tag, members]) => [
    element("h2", {}, tag),
    ...members.map(({ id, method, path, details }) => element("a", { href: `#${id}`, title: details.summary ?? "" },
      element("span", { className: `method ${method}` }, method.toUpperCase()), path)),
  ]);
}

const all = operations();
const { info } = contract;
document.title = info.title;
document.getElementById("operations").append(element("strong", {}, info.title), ...navigation(all));
const reference = document.getElementById("reference");
reference.replaceChildren(
  element("h1", {}, info.title),
  element("p", {}, info.description ?? ""),
  element("p", { className: "faint" }, `Version ${info.version} · `, element("a", { href: "openapi.json" }, "openapi.json")),
  ...all.map(operation));
reference.removeAttribute("aria-busy");
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
