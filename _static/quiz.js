// Corrige les questions dans la page. Sans ce script, la liste et ses réponses repliées suffisent.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("form.quiz").forEach(prepareQuiz);
});

function prepareQuiz(form) {
  const options = [...form.querySelectorAll(".quiz-options > li")];
  const inputs = options.map((option) => option.querySelector("input"));
  const explanations = [...form.querySelectorAll(".quiz-answers > ol > li")];
  const result = form.querySelector(".quiz-result");
  if (!result || inputs.includes(null) || explanations.length !== options.length) return;

  const isCorrect = (i) => options[i].dataset.correct === "true";

  function verdict(chosen) {
    const total = options.filter((_, i) => isCorrect(i)).length;
    if (!chosen.length) return "Choisissez d’abord une réponse.";
    if (!chosen.every(isCorrect)) return "Pas encore. Lisez l’explication, puis essayez à nouveau.";
    if (chosen.length < total) return "Juste, mais incomplet. Il reste au moins une bonne réponse.";
    return total > 1 ? "Bonnes réponses." : "Bonne réponse.";
  }

  function feedback(i) {
    const item = document.createElement("li");
    const letter = document.createElement("strong");
    letter.textContent = `Réponse ${String.fromCharCode(65 + i)}`;
    item.dataset.correct = isCorrect(i);
    item.append(letter, ...explanations[i].cloneNode(true).childNodes);
    item.querySelectorAll("[id]").forEach((element) => element.removeAttribute("id"));
    return item;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = [...inputs.keys()].filter((i) => inputs[i].checked);
    const sentence = document.createElement("p");
    sentence.textContent = verdict(chosen);
    const list = document.createElement("ul");
    list.append(...chosen.map(feedback));
    result.replaceChildren(sentence, ...(chosen.length ? [list] : []));
  });
  form.addEventListener("change", () => result.replaceChildren());
  form.addEventListener("reset", () => {
    result.replaceChildren();
    inputs[0].focus();
  });
  form.dataset.ready = "";
}
