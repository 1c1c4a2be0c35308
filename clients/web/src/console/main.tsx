import "./key";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Console } from "./app";
import "./console.css";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <Console />
  </StrictMode>,
);
