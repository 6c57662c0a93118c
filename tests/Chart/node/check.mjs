// Reads Kubernetes objects as a JSON array from standard input; writes [{index, faults: [text]}] of those that the API would refuse, or
// whose keys it would drop. The schemas check types; a key that no schema ever asks for is one that it does not know.
import { readFileSync, existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const modules = resolve(process.argv[2], 'node_modules');
const packages = ['kubernetes-models', '@kubernetes-models/prometheus-operator', '@kubernetes-models/keda', '@kubernetes-models/gateway-api'];
const validators = new Map();

async function validatorOf({ apiVersion, kind }) {
  const key = `${apiVersion}/${kind}`;
  if (!validators.has(key)) {
    const path = packages.map(p => join(modules, p, apiVersion, `${kind}.js`)).find(existsSync);
    // A model's file names the schema that checks it.
    const schema = path && /from\s*"([^"]*_schemas\/[^"]*)"/.exec(readFileSync(path, 'utf8'))?.[1];
    validators.set(key, schema ? (await import(pathToFileURL(resolve(dirname(path), schema)))).validate : null);
  }
  return validators.get(key);
}

// What stands for a value and remembers which of its keys were asked for.
function watch(value, path, unseen) {
  if (value === null || typeof value !== 'object') return value;
  const inner = Array.isArray(value) ? [] : {};
  for (const [key, child] of Object.entries(value)) {
    const place = `${path}/${key}`;
    unseen.add(place);
    inner[key] = watch(child, place, unseen);
  }
  return new Proxy(inner, {
    get(target, key) {
      if (typeof key === 'string') unseen.delete(`${path}/${key}`);
      return Reflect.get(target, key);
    },
  });
}

async function faultsOf(object) {
  const validate = await validatorOf(object);
  if (!validate) return [`no schema of ${object.apiVersion} ${object.kind}`];
  const unseen = new Set();
  const good = validate(watch(object, '', unseen));
  const faults = good ? [] : validate.errors.map(e => `${e.instancePath || '/'}: ${e.message ?? e.keyword} ${JSON.stringify(e.params)}`);
  // A key below one that nobody asked for is no second fault.
  const unknown = [...unseen].filter(p => ![...unseen].some(o => p.startsWith(`${o}/`)));
  return faults.concat(unknown.map(p => `${p}: unknown key`));
}

const objects = JSON.parse(readFileSync(0, 'utf8'));
const found = [];
for (const [index, object] of objects.entries()) {
  const faults = await faultsOf(object);
  if (faults.length > 0) found.push({ index, faults });
}
process.stdout.write(JSON.stringify(found));
