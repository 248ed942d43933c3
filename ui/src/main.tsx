import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/parts.css";
import "./styles/oneline.css";
import "./styles/views.css";
import { listen } from "./router";
import { begin } from "./state/store";
import { App } from "./views/app";

listen();
const root = document.getElementById("app");
if (root !== null) render(<App />, root);
void begin();
