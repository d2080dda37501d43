// Configures OHIF. MSK, which stands before this text, is data: the table of what images show, and hanging protocols.
"use strict";

(() => {
  const RADIOGRAPHS = ["CR", "DX", "RG"];
  const SIDES = ["R", "L", "B", ""];
  const COLUMNS = [0, 1, 2];
  const SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7";
  const STACK = "@ohif/extension-default.sopClassHandlerModule.stack";

  const codeOf = (sequence) => {
    const item = sequence?.[0] ?? {};
    return item.CodeValue ? `${item.CodingSchemeDesignator}:${item.CodeValue}` : "";
  };

  const sideOf = (image) => {
    const modifier = image.AnatomicRegionSequence?.[0]?.AnatomicRegionModifierSequence;
    const side = image.ImageLaterality || image.Laterality || MSK.sides[codeOf(modifier)] || "";
    return SIDES.includes(side) ? side : "";
  };

  // Region, view and column of an image, by the attributes in which labels and truths stand. Where an image has neither,
  // they are its header's own.
  const shownBy = (image) => {
    const anatomy = codeOf(image.AnatomicRegionSequence);
    const byBodyPart = MSK.pictures.filter((row) => row.bodyPart && row.bodyPart === image.BodyPartExamined);
    const ofRegion = byBodyPart.length ? byBodyPart : MSK.pictures.filter((row) => row.anatomy && row.anatomy === anatomy);
    const viewCode = codeOf(image.ViewCodeSequence);
    const ofView = (rows) =>
      rows.find((row) => row.viewCode && row.viewCode === viewCode) ??
      rows.find((row) => row.viewPosition && row.viewPosition === image.ViewPosition);
    const { view, column } = ofView(ofRegion) ?? ofView(MSK.pictures) ?? { view: "", column: 0 };
    return { region: (ofView(ofRegion) ?? ofRegion[0])?.region ?? "", view, column };
  };

  const pictureOf = (displaySet) => {
    const image = displaySet.instances?.[0];
    if (!image || !RADIOGRAPHS.includes(image.Modality)) return null;
    const { displaySetInstanceUID: id, StudyInstanceUID: study } = displaySet;
    return { id, study, uid: image.SOPInstanceUID, side: sideOf(image), ...shownBy(image) };
  };

  const groups = (items, keyOf) => {
    const found = new Map();
    for (const item of items) found.set(keyOf(item), [...(found.get(keyOf(item)) ?? []), item]);
    return found;
  };

  // Where all pictures of a joint that say their side say the same one, the others are of that side too.
  const withSides = (pictures) => {
    const regions = groups(pictures, (picture) => picture.region);
    return pictures.map((picture) => {
      const known = new Set(regions.get(picture.region).map((each) => each.side).filter(Boolean));
      return { ...picture, side: known.size === 1 ? [...known][0] : picture.side };
    });
  };

  // A row for each joint and side, pictures without a joint last; the same view below the same view.
  const hung = (pictures) => {
    const order = ({ region, side }) => `${region ? 0 : 1} ${region} ${region ? SIDES.indexOf(side) : 0}`;
    const sorted = [...pictures].sort((a, b) => (a.view + a.uid < b.view + b.uid ? -1 : 1));
    const rows = [...groups(sorted, order)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
    const ofColumn = (row, column) => row.filter((picture) => picture.column === column);
    const widths = COLUMNS.map((column) => Math.max(0, ...rows.map((row) => ofColumn(row, column).length)));
    const starts = COLUMNS.map((column) => widths.slice(0, column).reduce((sum, width) => sum + width, 0));
    const placed = rows.flatMap((row, r) =>
      COLUMNS.flatMap((column) =>
        ofColumn(row, column).map((picture, n) => ({ ...picture, place: `${r} ${starts[column] + n}` })),
      ),
    );
    return { placed, rows: rows.length, columns: widths.reduce((sum, width) => sum + width, 0) };
  };

  // The pictures of a prior, each in the place of the current one that it is compared with: same joint, same view, and
  // not the other side.
  const compared = (current, prior) => {
    const free = new Set(prior);
    return current.flatMap(({ region, view, side, place }) => {
      const fits = (each) => each.region === region && each.view === view && [each.side, side].sort().join("") !== "LR";
      const found = [...free].filter((each) => region && fits(each)).sort((a, b) => (b.side === side) - (a.side === side))[0];
      free.delete(found);
      return found ? [{ ...found, place }] : [];
    });
  };

  // The grid that fits the studies, "" where OHIF's own protocols hang them, and the place of each display set in it.
  const hanging = (studies, displaySets) => {
    const pictures = displaySets.map(pictureOf).filter(Boolean);
    const [current, ...priors] = studies.map(({ StudyInstanceUID }) =>
      withSides(pictures.filter((picture) => picture.study === StudyInstanceUID)),
    );
    if (!current?.some((picture) => picture.region)) return { grid: "", places: new Map() };
    const { placed, rows, columns } = hung(current);
    const prior = priors.map((each) => compared(placed, each)).find((each) => each.length) ?? [];
    const which = prior.length ? "prior " : "";
    const [mostRows, mostColumns] = prior.length ? MSK.mostCompared : MSK.most;
    const places = new Map([
      ...placed.map(({ id, place }) => [id, `current ${place}`]),
      ...prior.map(({ id, place }) => [id, `prior ${place}`]),
    ]);
    return { grid: `${which}${Math.min(rows, mostRows)}x${Math.min(columns, mostColumns)}`, places };
  };

  // OHIF makes a display set of each CR and DX, but one of all digitised films of a series. What has a display set already
  // is OHIF's business: it asks again for the same series.
  const filmsApart = ({ servicesManager, extensionManager }) => ({
    name: "films",
    sopClassUids: [SECONDARY_CAPTURE],
    getDisplaySetsFromSeries: (instances) => {
      const { displaySetService } = servicesManager.services;
      const present = displaySetService.getDisplaySetsForSeries(instances[0].SeriesInstanceUID) ?? [];
      const known = new Set(present.flatMap((each) => each.instances ?? []).map((image) => image.SOPInstanceUID));
      return instances
        .filter((image) => RADIOGRAPHS.includes(image.Modality) && !known.has(image.SOPInstanceUID))
        .flatMap((image) => extensionManager.getModuleEntry(STACK).getDisplaySetsFromSeries([image]));
    },
  });

  const extension = {
    id: "msk",
    preRegistration: ({ servicesManager }) => {
      const { displaySetService, hangingProtocolService } = servicesManager.services;
      const now = (studies) => hanging(studies ?? [], displaySetService.getActiveDisplaySets());
      hangingProtocolService.addCustomAttribute("mskGrid", "Grid that fits the labels", (_study, { studies }) =>
        now(studies).grid,
      );
      hangingProtocolService.addCustomAttribute("mskPlace", "Place by the label", (displaySet, { studies }) =>
        now(studies).places.get(displaySet.displaySetInstanceUID) ?? "",
      );
    },
    getSopClassHandlerModule: (managers) => [filmsApart(managers)],
    getHangingProtocolModule: () => MSK.protocols.map((protocol) => ({ name: protocol.id, protocol })),
  };

  window.config = {
    name: "msk",
    routerBasename: MSK.base,
    extensions: [extension],
    modes: [],
    modesConfiguration: {
      "@ohif/mode-longitudinal": {
        // By the rules of the protocols; the last one where none fits.
        hangingProtocol: { $set: [...MSK.protocols.map(({ id }) => id), "default"] },
        sopClassHandlers: { $unshift: ["msk.sopClassHandlerModule.films"] },
      },
    },
    customizationService: { global: { "ohif.tours": { $set: [] } } },
    investigationalUseDialog: { option: "never" },
    showStudyList: true,
    showWarningMessageForCrossOrigin: false,
    defaultDataSourceName: "msk",
    dataSources: [
      {
        namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
        sourceName: "msk",
        configuration: {
          friendlyName: "Orthanc, with labels",
          name: "msk",
          qidoRoot: MSK.dicomWeb,
          wadoRoot: MSK.dicomWeb,
          wadoUriRoot: MSK.dicomWeb,
          qidoSupportsIncludeField: true,
          supportsFuzzyMatching: false,
          supportsWildcard: true,
          imageRendering: "wadors",
          thumbnailRendering: "wadors",
          enableStudyLazyLoad: true,
          omitQuotationForMultipartRequest: true,
          bulkDataURI: { enabled: true },
        },
      },
    ],
  };
})();
