// Runs an exported labels graph on a picture: uint8 1,H,W,3 in, uint8 1,H,W out.
import * as ort from "onnxruntime-web/wasm";

const MOST_PIXELS = 40e6;
const get = (id) => document.getElementById(id);
const say = (text) => (get("status").textContent = text);

async function load() {
  const [description, bytes] = await Promise.all(
    ["export.json", "model.onnx"].map(async (name) => {
      const response = await fetch(name);
      // Vite's development server answers a missing file with the page itself
      if (!response.ok || response.headers.get("content-type")?.startsWith("text/html")) {
        throw new Error(`there is no ${name} in public/: run export.py with output=public`);
      }
      return name.endsWith(".json") ? response.json() : response.arrayBuffer();
    }),
  );
  return { classes: description.file.model.classes, session: await ort.InferenceSession.create(bytes) };
}

async function segment(file, { classes, session }) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name} is no picture that this browser reads`);
  });
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) throw new Error(`${file.name} has more than 40 megapixels`);
  const context = context2d("image", width, height);
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data;
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from];
    rgb[to++] = rgba[from + 1];
    rgb[to++] = rgba[from + 2];
  }
  const start = performance.now();
  const { labels } = await session.run({ image: new ort.Tensor("uint8", rgb, [1, height, width, 3]) });
  const seconds = (performance.now() - start) / 1000;
  show(labels.data, width, height, classes);
  say(`${file.name}: ${width} × ${height}, segmented in ${seconds.toFixed(2)} s`);
}

function show(labels, width, height, classes) {
  const counts = new Array(classes.names.length).fill(0);
  const context = context2d("labels", width, height);
  const picture = context.createImageData(width, height);
  labels.forEach((label, index) => {
    counts[label]++;
    picture.data.set([...classes.colors[label], 255], 4 * index);
  });
  context.putImageData(picture, 0, 0);
  const order = counts.map((_, label) => label).filter((label) => counts[label] > 0);
  order.sort((a, b) => counts[b] - counts[a]);
  get("legend").replaceChildren(
    ...order.map((label) => {
      const item = document.createElement("li");
      const swatch = document.createElement("span");
      swatch.style.background = `rgb(${classes.colors[label]})`;
      const share = ((100 * counts[label]) / labels.length).toFixed(1);
      item.append(swatch, `${classes.names[label]} ${share}%`);
      return item;
    }),
  );
  get("result").hidden = false;
}

function context2d(id, width, height) {
  Object.assign(get(id), { width, height });
  return get(id).getContext("2d", { willReadFrequently: true });
}

const model = load();
model.then(() => say("Ready."), (error) => say(`The model cannot be loaded: ${error.message}.`));

let last = model;
function take(file) {
  if (!file) return;
  // one picture after the other
  last = last
    .then(() => say(`Segmenting ${file.name}…`))
    .then(() => new Promise(requestAnimationFrame)) // lets the line above be painted
    .then(async () => segment(file, await model))
    .catch((error) => say(`${error.message}.`));
}

get("opacity").oninput = (event) => (get("labels").style.opacity = event.target.value);
get("labels").style.opacity = get("opacity").value;
get("file").onchange = (event) => take(event.target.files[0]);
const drop = get("drop");
drop.ondragover = (event) => (event.preventDefault(), drop.classList.add("over"));
drop.ondragleave = () => drop.classList.remove("over");
drop.ondrop = (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  take(event.dataTransfer.files[0]);
};
